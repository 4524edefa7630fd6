#include "engine/weight_loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "backends/cpu/cpu_backend.h"
#include "backends/reference/reference_backend.h"
#include "base/align.h"
#include "engine/stored_reader.h"
#include "tensor/buffer.h"
#include "tests/base/page_cache.h"
#include "tests/base/temporary_directory.h"

namespace paro::test {
namespace {

// One file with a tensor for each way of being cut. An odd tensor in front keeps all of them off their alignment.
class Checkpoint {
 public:
  Checkpoint() : path_(directory_.path() / "model.safetensors") {
    add("odd", DType::u8, {3});
    add("vector", DType::f32, {5001});
    add("table", DType::bf16, {3000, 512});
    add("awq.codes", DType::i32, {1024, 5600 / 8});
    add("awq.scales", DType::f16, {1024 / 64, 5600});
    add("awq.zeros", DType::i32, {1024 / 64, 5600 / 8});
    add("native.codes", DType::i16, {5600 / 4, 1024});
    add("native.scales", DType::f16, {1024 / 64, 5600});
    add("native.zeros", DType::f16, {1024 / 64, 5600});
    add("dense", DType::f16, {5000, 300});
    write_safetensors(path_, tensors_);
    files_ = SafetensorsFiles::open_file(path_);
  }

  const SafetensorsFiles& files() const { return *files_; }
  const StoredTensor* tensor(std::string_view name) const { return files_->find(name); }

  bool drop_from_memory() const { return test::drop_from_memory(path_); }

  std::vector<WeightLoad> loads(const Backend& backend, int64_t& n_bytes) const {
    std::vector<WeightLoad> loads;
    n_bytes = 0;
    const auto place = [&](const char* name, auto what, int64_t packed_bytes) {
      loads.push_back({name, n_bytes, what});
      n_bytes += round_up(packed_bytes, Buffer::kAlignment);
    };
    place("vector", VectorLoad{tensor("vector"), 1.0f}, 5001 * 4);
    const TableSpec table{3000, 512, StoredFormat::bf16, TableType::int8};
    place("table", TableLoad{table, tensor("table")}, backend.packed_bytes(table));
    const MatrixSpec awq{5600, 1024, StoredFormat::int4_awq, 64};
    place("awq", MatrixLoad{awq, tensor("awq.codes"), tensor("awq.scales"), tensor("awq.zeros"), {}},
          backend.packed_bytes(awq));
    const MatrixSpec native{5600, 1024, StoredFormat::int4_native, 64};
    place("native", MatrixLoad{native, tensor("native.codes"), tensor("native.scales"), tensor("native.zeros"), {}},
          backend.packed_bytes(native));
    const MatrixSpec dense{5000, 300, StoredFormat::f16, 0};
    place("dense", MatrixLoad{dense, tensor("dense"), nullptr, nullptr, {}}, backend.packed_bytes(dense));
    return loads;
  }

 private:
  void add(const char* name, DType dtype, Shape shape) {
    const int64_t n_bytes = shape.n_elements() * size_bytes(dtype);
    tensors_.push_back({name, dtype, shape, [n_bytes, this](const auto& sink) {
                          std::vector<uint16_t> content(size_t(n_bytes + 1) / 2);
                          // Any bits are codes; as 16-bit floats these are of ordinary size.
                          for (uint16_t& c : content) c = uint16_t(0x3000 + random_() % 0x1000);
                          sink(std::as_bytes(std::span(content)).first(size_t(n_bytes)));
                        }});
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path path_;
  std::mt19937 random_{1};
  std::vector<TensorToWrite> tensors_;
  std::optional<SafetensorsFiles> files_;
};

std::vector<std::byte> load(const Checkpoint& checkpoint, const Backend& backend) {
  int64_t n_bytes = 0;
  const auto loads = checkpoint.loads(backend, n_bytes);
  const Buffer memory(n_bytes, "weights", Buffer::Pages::untouched);
  const Buffer staging(staging_bytes(loads, backend.n_threads()), "staging");
  int64_t last = 0, of = 0;
  load_weights(loads, checkpoint.files(), backend, memory.bytes(), staging.bytes(), [&](int64_t done, int64_t all) {
    EXPECT_GT(done, last);
    last = done;
    of = all;
  });
  EXPECT_EQ(last, of);
  return {memory.bytes().begin(), memory.bytes().end()};
}

// What loading must come to: every tensor read whole and packed at once.
std::vector<std::byte> pack_whole(const Checkpoint& checkpoint, const Backend& backend) {
  int64_t n_bytes = 0;
  const auto loads = checkpoint.loads(backend, n_bytes);
  const Buffer memory(n_bytes, "weights");
  const auto read = [&](const StoredTensor* tensor) {
    std::vector<std::byte> bytes(tensor == nullptr ? 0 : size_t(tensor->n_bytes));
    if (tensor != nullptr) checkpoint.files().read(*tensor, 0, bytes);
    return bytes;
  };
  for (const WeightLoad& load : loads) {
    std::byte* packed = memory.data() + load.offset_bytes;
    if (const auto* m = std::get_if<MatrixLoad>(&load.what)) {
      const auto codes = read(m->codes), scales = read(m->scales), zeros = read(m->zeros);
      const auto stride = [](const StoredTensor* t) { return t == nullptr ? 0 : t->n_bytes / t->shape[0]; };
      backend.pack(m->spec,
                   {0, m->spec.out, 0, m->spec.in, codes.data(), stride(m->codes), scales.data(), stride(m->scales),
                    zeros.data(), stride(m->zeros)},
                   packed);
    } else if (const auto* t = std::get_if<TableLoad>(&load.what)) {
      const auto rows = read(t->rows);
      backend.pack(t->spec, {0, t->spec.rows, rows.data()}, packed);
    } else if (const auto* v = std::get_if<VectorLoad>(&load.what)) {
      const auto stored = read(v->stored);
      for (size_t i = 0; i < stored.size(); i += 4) {
        float value = 0;
        std::memcpy(&value, stored.data() + i, 4);
        value += v->plus;
        std::memcpy(packed + i, &value, 4);
      }
    }
  }
  return {memory.bytes().begin(), memory.bytes().end()};
}

class WeightLoaderOf : public testing::TestWithParam<int> {
 protected:
  std::unique_ptr<Backend> backend() const {
    return GetParam() == 0 ? make_reference_backend() : make_cpu_backend({GetParam(), ""});
  }
  const Checkpoint checkpoint_;
};

TEST_P(WeightLoaderOf, FillsMemoryFromFilesThatAreInMemory) {
  const auto with = backend();
  EXPECT_TRUE(load(checkpoint_, *with) == pack_whole(checkpoint_, *with));
}

TEST_P(WeightLoaderOf, FillsMemoryFromFilesThatAreOnDiskOnly) {
  const auto with = backend();
  const auto expected = pack_whole(checkpoint_, *with);
  if (!checkpoint_.drop_from_memory()) GTEST_SKIP() << "files cannot be dropped from memory here";
  EXPECT_TRUE(load(checkpoint_, *with) == expected);
}

// 0 is the reference backend, others are the threads of the cpu backend.
INSTANTIATE_TEST_SUITE_P(Backends, WeightLoaderOf, testing::Values(0, 1, 2, 5));

TEST(StoredReader, SaysWhetherADiskHadToBeReadFrom) {
  const Checkpoint checkpoint;
  const StoredTensor& tensor = *checkpoint.tensor("table");
  const Buffer memory(StoredReader::room_bytes(tensor.n_bytes), "a test");
  std::vector<std::byte> expected(size_t(tensor.n_bytes));
  checkpoint.files().read(tensor, 0, expected);
  const auto matches = [&](StoredReader& reader, int64_t begin, int64_t n_bytes) {
    const std::byte* bytes = reader.read(tensor, begin, n_bytes, memory.bytes());
    EXPECT_EQ(reinterpret_cast<intptr_t>(bytes) % 2, 0);
    return std::equal(bytes, bytes + n_bytes, expected.begin() + begin);
  };
  if (StoredReader reader(checkpoint.files().files());
      checkpoint.files().files()[0].read_cached(0, memory.bytes().first(1)) == File::Cached::all) {
    EXPECT_TRUE(matches(reader, 0, tensor.n_bytes));
    EXPECT_TRUE(matches(reader, 1001, 70000));
    reader.end_wait();
    EXPECT_FALSE(reader.wait_for_disk());
  }
  if (!checkpoint.drop_from_memory()) GTEST_SKIP() << "files cannot be dropped from memory here";
  if (checkpoint.files().files()[0].read_cached(1 << 20, memory.bytes().first(1)) == File::Cached::all) {
    GTEST_SKIP() << "this file system keeps its files in memory";
  }
  StoredReader reader(checkpoint.files().files());
  EXPECT_TRUE(matches(reader, 0, tensor.n_bytes));
  EXPECT_TRUE(matches(reader, 1001, 70000));
  EXPECT_TRUE(matches(reader, tensor.n_bytes - 10, 10));
  EXPECT_TRUE(reader.wait_for_disk());
  reader.end_wait();
}

TEST(StoredReader, ReadsStretchesTogetherOrApart) {
  StoredReader::Flight flight;
  const Checkpoint checkpoint;
  const File& file = checkpoint.files().files()[0];
  using Stretches = std::vector<StoredReader::Stretch>;
  const Stretches near{{{0, 4000, 9000}, {0, 13000, 400}, {0, 13404, 100}}},  //
      unsorted{{{0, 900000, 70000}, {0, 200000, 4096}, {0, 970016, 300}}},    //
      far{{{0, 8192, 4096}, {0, 2000000, 1 << 20}, {0, 1000000, 12}}},        //
      odd{{{0, 10001, 5000}, {0, 15001, 3}, {0, 15004, 4000}}},               //
      last{{{0, file.size_bytes() - 7, 7}, {0, 100, 8}, {0, file.size_bytes() - 100, 60}}},
      many{{{0, 1 << 20, 300000},
            {0, 500, 12},
            {0, 1400000, 8},
            {0, 4096, 4096},
            {0, 1348576, 4000},
            {0, 100000, 4},
            {0, 2000000, 70000},
            {0, 8192, 20},
            {0, 1352576, 40}}};
  for (const bool from_disk : {false, true}) {
    for (const Stretches& stretches : {near, unsorted, far, odd, last, many}) {
      if (from_disk && !checkpoint.drop_from_memory()) GTEST_SKIP() << "files cannot be dropped from memory here";
      const Buffer memory(StoredReader::room_bytes(stretches), "a test");
      const StoredReader reader(checkpoint.files().files());
      reader.begin(stretches, memory.bytes(), flight);
      std::vector<const std::byte*> begins(stretches.size());
      reader.finish(flight, begins);
      for (size_t i = 0; i < stretches.size(); ++i) {
        EXPECT_EQ(reinterpret_cast<intptr_t>(begins[i]) % 4, 0);
        std::vector<std::byte> expected(size_t(stretches[i].n_bytes));
        file.read_exact(stretches[i].offset_bytes, expected);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), begins[i])) << i;
      }
    }
  }
}

TEST(WeightLoader, PassesOnWhatAFileCutShortThrows) {
  const Checkpoint checkpoint;
  const auto backend = make_cpu_backend({2, ""});
  int64_t n_bytes = 0;
  const auto loads = checkpoint.loads(*backend, n_bytes);
  const Buffer memory(n_bytes, "weights", Buffer::Pages::untouched);
  const Buffer staging(staging_bytes(loads, 2), "staging");
  std::filesystem::resize_file(checkpoint.files().files()[0].path(), 5 << 20);
  EXPECT_TRUE(contains(
      error_of(ErrorKind::io,
               [&] { load_weights(loads, checkpoint.files(), *backend, memory.bytes(), staging.bytes(), {}); }),
      {"model.safetensors", "ends at byte"}));
}

}  // namespace
}  // namespace paro::test
