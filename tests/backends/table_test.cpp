// Embeddings and heads in every table type, and embeddings whose rows are read.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "backends/cpu/layout.h"
#include "op_test.h"
#include "ops/ops.h"

namespace paro::test {
namespace {

class CpuTable : public CpuOps {
 protected:
  static Table pack(const Backend& backend, const TableSpec& spec, const Matrix& rows, Guarded& packed,
                    int64_t piece_rows) {
    std::memset(packed.data(), 0, packed.bytes().size());
    const int64_t row_bytes = rows.piece.codes_stride;
    for (int64_t row = 0; row < spec.rows; row += piece_rows) {
      backend.pack(spec, TablePiece{row, std::min(piece_rows, spec.rows - row), rows.piece.codes + row * row_bytes},
                   packed.data());
    }
    return {spec, packed.data()};
  }

  static std::vector<float> run_head(Backend& backend, const Table& table, std::vector<float> x, float softcap,
                                     std::vector<int32_t> n_exact = {}) {
    const int64_t n = int64_t(x.size()) / table.spec.cols;
    Output logits({n, table.spec.rows});
    const HeadArgs args{view(x, {n, table.spec.cols}), table, softcap, logits.tensor(), n_exact};
    Guarded scratch(backend.scratch_bytes(args));
    backend.head(args, scratch.bytes());
    return logits.values();
  }

  static std::vector<float> run_embedding_by(Backend& backend, const Table& table, const std::vector<int32_t>& ids,
                                             float scale) {
    Output y({int64_t(ids.size()), table.spec.cols});
    backend.embedding(table, ids, scale, y.tensor());
    return y.values();
  }
  static std::vector<float> run_embedding(Backend& backend, const Table& table, const std::vector<int32_t>& ids) {
    return run_embedding_by(backend, table, ids, 3.0f);
  }

  void compare(int64_t rows, int64_t cols, StoredFormat stored, TableType type, int64_t n, float softcap) {
    const std::string what =
        fmt::format("[{}, {}] stored {} type {} n {} cap {}", rows, cols, int(stored), int(type), n, softcap);
    const Matrix matrix = random_matrix(random_, {rows, cols, stored, 0});
    const TableSpec spec{rows, cols, stored, type};
    const TableSpec exact_spec{rows, cols, stored, TableType::as_stored};
    Guarded packed(backend_->packed_bytes(spec));
    Guarded exact_packed(reference_->packed_bytes(exact_spec));
    const Table fast = pack(*backend_, spec, matrix, packed, MatrixPiece::kRowGranule);
    const Table exact = pack(*reference_, exact_spec, matrix, exact_packed, rows);

    const auto x = normals(random_, n * cols);
    // Rows of 0.05 normal elements: int8 on both sides is about 1.4 % of noise, 5 sigma of it on sums of that spread.
    const bool is_int8 = type == TableType::int8 && cols % 32 == 0;
    const float spread = 0.05f * std::sqrt(float(cols));
    const auto logits = run_head(*backend_, fast, x, softcap);
    expect_near(logits, run_head(*reference_, exact, x, softcap), is_int8 ? 0.07f * spread : 1e-5f, 1e-5f, what);
    for (int64_t i = 0; i < n; ++i) {
      expect_bits(run_head(*backend_, fast, rows_of(x, cols, i, 1), softcap), rows_of(logits, rows, i, 1), what);
    }
    expect_bits(run_head(*cpu(GetParam(), 3), fast, x, softcap), logits, what);

    const std::vector<int32_t> ids{0, int32_t(rows - 1), int32_t(rows / 2), 0};
    // Half a step of the largest of a group, 3 times: 0.25 / 127 / 2 * 3.
    expect_near(run_embedding(*backend_, fast, ids), run_embedding(*reference_, exact, ids), is_int8 ? 4e-3f : 0.0f,
                is_int8 ? 1e-3f : 0.0f, what);
  }
};
PARO_FOR_EVERY_ISA(CpuTable);

TEST_P(CpuTable, MatchesReferenceOnEveryShape) {
  for (const TableType type : {TableType::int8, TableType::as_stored}) {
    for (const StoredFormat stored : {StoredFormat::f16, StoredFormat::bf16, StoredFormat::f32}) {
      for (const int64_t rows : {1, 15, 16, 17, 33, 100}) {
        for (const int64_t cols : {20, 32, 64, 96, 256}) compare(rows, cols, stored, type, 3, 0);
      }
    }
  }
}

TEST_P(CpuTable, MatchesReferenceOnEveryTokenCount) {
  for (int64_t n = 1; n <= 13; ++n) compare(50, 128, StoredFormat::bf16, TableType::int8, n, 0);
}

TEST_P(CpuTable, SoftcapMatchesReference) {
  compare(50, 128, StoredFormat::bf16, TableType::int8, 2, 30);
  compare(50, 100, StoredFormat::f16, TableType::as_stored, 5, 0.5f);
}

TEST_P(CpuTable, OnlyRowsThatExistAreWritten) { compare(5, 64, StoredFormat::f16, TableType::int8, 1, 0); }

TEST_P(CpuTable, AZeroRowStaysZero) {
  Matrix matrix = random_matrix(random_, {16, 64, StoredFormat::f16, 0});
  std::fill_n(matrix.codes.begin() + 3 * 128, 128, std::byte{0});
  const TableSpec spec{16, 64, StoredFormat::f16, TableType::int8};
  Guarded packed(backend_->packed_bytes(spec));
  const Table table = pack(*backend_, spec, matrix, packed, 16);
  expect_near(run_embedding(*backend_, table, {3}), std::vector<float>(64), 0, 0, "row 3");
  EXPECT_EQ(run_head(*backend_, table, normals(random_, 64), 0)[3], 0.0f);
}

// What the comment at TableJob says, word by word.
class DecodedTable {
 public:
  explicit DecodedTable(const Table& table)
      : layout_(table.spec), packed_(reinterpret_cast<const uint8_t*>(table.packed)) {}

  int code(int64_t row, int64_t col) const { return 4 * coarse(row, col) + fine(row, col); }
  int coarse(int64_t row, int64_t col) const {
    const uint8_t* lines = block(row) + layout_.row_scales_offset + 128 + col / 16 * 192;
    const int64_t byte = byte_of(row, col), quad = col % 16 / 4;
    const int low = lines[quad / 2 * 64 + byte] >> (quad % 2 * 4) & 15;
    return low + 16 * (lines[128 + byte] >> (2 * quad) & 3);
  }
  int fine(int64_t row, int64_t col) const {
    const uint8_t* line = packed_ + layout_.coarse_bytes() + row / 16 * layout_.fine_block_bytes + col / 16 * 64;
    return line[byte_of(row, col)] >> (col % 16 / 4 * 2) & 3;
  }
  int scale(int64_t row, int64_t col) const { return block(row)[col / 32 * 16 + row % 16]; }
  float row_scale(int64_t row) const { return row_float(row, 0); }
  float row_bound(int64_t row) const { return row_float(row, 16); }

 private:
  static int64_t byte_of(int64_t row, int64_t col) { return row % 16 * 4 + col % 4; }
  const uint8_t* block(int64_t row) const { return packed_ + row / 16 * layout_.coarse_block_bytes; }
  float row_float(int64_t row, int64_t begin) const {
    float value = 0;
    std::memcpy(&value, block(row) + layout_.row_scales_offset + (begin + row % 16) * 4, sizeof value);
    return value;
  }

  cpu::TableLayout layout_;
  const uint8_t* packed_;
};

TEST_P(CpuTable, PackedTableIsWhatItsCommentSays) {
  for (const int64_t rows : {1, 17, 150}) {
    for (const int64_t cols : {32, 96, 256}) {
      const Matrix matrix = random_matrix(random_, {rows, cols, StoredFormat::f32, 0});
      const TableSpec spec{rows, cols, StoredFormat::f32, TableType::int8};
      Guarded packed(backend_->packed_bytes(spec));
      const Table table = pack(*backend_, spec, matrix, packed, 2 * MatrixPiece::kRowGranule);
      const DecodedTable decoded(table);
      const auto* stored = reinterpret_cast<const float*>(matrix.codes.data());
      const auto x = normals(random_, cols);
      const auto logits = run_head(*backend_, table, x, 0);
      for (int64_t row = 0; row < rows; ++row) {
        std::vector<float> expected;
        double logit = 0, norm = 0, bound = 0;
        for (int64_t col = 0; col < cols; ++col) {
          float largest = 0;
          for (int64_t i = col / 32 * 32; i < col / 32 * 32 + 32; ++i)
            largest = std::max(largest, std::fabs(x[size_t(i)]));
          const double x_step = largest / 127.0;
          const double rounded = x_step * std::nearbyint(x[size_t(col)] / x_step);
          const int code = decoded.code(row, col) - 128;
          const float step = decoded.row_scale(row) * float(decoded.scale(row, col));
          ASSERT_LE(std::abs(code), 127);
          ASSERT_GE(decoded.scale(row, col), 1);
          ASSERT_NEAR(step * float(code), stored[row * cols + col], 0.501f * step) << row << ", " << col;
          expected.push_back(step * float(code));
          logit += double(step) * code * rounded;
          norm += rounded * rounded;
          bound += std::pow(step * (decoded.fine(row, col) - 1.5), 2);
        }
        expect_bits(run_embedding_by(*backend_, table, {int32_t(row)}, 1.0f), expected, "embedding");
        ASSERT_NEAR(logits[size_t(row)], logit, 1e-5 * std::sqrt(norm));
        ASSERT_GE(decoded.row_bound(row), std::sqrt(bound));
        ASSERT_LE(decoded.row_bound(row), std::sqrt(bound) * 1.0001);
      }
    }
  }
}

// int4 is only looked up in.
class CpuInt4Table : public CpuTable {
 protected:
  static std::vector<int32_t> all_rows(int64_t n) {
    std::vector<int32_t> ids(size_t(n), 0);
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
  }

  // All rows, packed in pieces, to the bit as the reference has them; and within what four bits cost.
  void compare_rows(const Matrix& matrix, const std::string& what) {
    const auto [rows, cols, stored, group_size] = matrix.spec;
    const TableSpec spec{rows, cols, stored, TableType::int4};
    const TableSpec exact_spec{rows, cols, stored, TableType::as_stored};
    Guarded packed(backend_->packed_bytes(spec)), reference_packed(reference_->packed_bytes(spec));
    Guarded exact_packed(reference_->packed_bytes(exact_spec));
    const Table fast = pack(*backend_, spec, matrix, packed, MatrixPiece::kRowGranule);
    const Table slow = pack(*reference_, spec, matrix, reference_packed, rows);
    const Table exact = pack(*reference_, exact_spec, matrix, exact_packed, rows);
    const auto ids = all_rows(rows);
    const auto actual = run_embedding_by(*backend_, fast, ids, 1.0f);
    const auto expected = run_embedding_by(*reference_, exact, ids, 1.0f);
    if (cols % 32 != 0) return expect_bits(actual, expected, what);
    EXPECT_EQ(backend_->packed_bytes(spec), rows * cols * 9 / 16) << what;  // 4.5 bits each
    expect_bits(actual, run_embedding_by(*reference_, slow, ids, 1.0f), what);
    expect_bits(run_embedding(*backend_, fast, ids), run_embedding(*reference_, slow, ids), what);
    for (size_t begin = 0; begin < expected.size(); begin += 32) {
      const auto group = std::span(expected).subspan(begin, 32);
      const float highest = *std::max_element(group.begin(), group.end());
      const float lowest = *std::min_element(group.begin(), group.end());
      const float largest = highest >= -lowest ? highest : lowest;
      // The scale is an f16, so that it is up to 2^-10 larger, or one of the smallest larger.
      const float step = std::fabs(largest) / 8 * (1 + 0x1p-10f) + 0x1p-24f;
      for (size_t i = 0; i < 32; ++i) {
        // Codes go to 8 steps on the side of the largest element, to 7 on the other.
        const bool is_past_7 = group[i] * largest < 0 && std::fabs(group[i]) > 7 * std::fabs(largest) / 8;
        ASSERT_LE(std::fabs(actual[begin + i] - group[i]), (is_past_7 ? 1.001f : 0.501f) * step)
            << what << ": element " << begin + i;
      }
    }
  }

  Matrix matrix_of(const std::vector<float>& values, int64_t cols) {
    Matrix matrix = random_matrix(random_, {int64_t(values.size()) / cols, cols, StoredFormat::f32, 0});
    std::memcpy(matrix.codes.data(), values.data(), matrix.codes.size());
    return matrix;
  }
};
PARO_FOR_EVERY_ISA(CpuInt4Table);

TEST_P(CpuInt4Table, RowsMatchReferenceOnEveryShape) {
  for (const StoredFormat stored : {StoredFormat::f16, StoredFormat::bf16, StoredFormat::f32}) {
    for (const int64_t rows : {1, 15, 64, 65, 130}) {
      for (const int64_t cols : {1, 20, 32, 48, 64, 96, 256, 1536}) {
        compare_rows(random_matrix(random_, {rows, cols, stored, 0}),
                     fmt::format("[{}, {}] stored {}", rows, cols, int(stored)));
      }
    }
  }
}

TEST_P(CpuInt4Table, RowsOfAnySizeKeepTheirShape) {
  for (const float size : {1e-9f, 3e-7f, 1e-5f, 1.0f, 1e5f, 5e5f}) {
    compare_rows(matrix_of(normals(random_, 40 * 64, size / 5), 64), fmt::format("of size {}", size));
  }
}

TEST_P(CpuInt4Table, ZeroAndEqualRowsAreExact) {
  std::vector<float> values(32, 0.0f);
  for (const float value : {0.75f, -0.75f, 1e-30f}) values.insert(values.end(), 32, value);
  const Matrix matrix = matrix_of(values, 32);
  const TableSpec spec{4, 32, StoredFormat::f32, TableType::int4};
  Guarded packed(backend_->packed_bytes(spec));
  const auto rows = run_embedding_by(*backend_, pack(*backend_, spec, matrix, packed, 4), all_rows(4), 1.0f);
  expect_near(rows, values, 1e-6f, 0, "rows");
  EXPECT_TRUE(std::all_of(rows.begin(), rows.begin() + 32, [](float v) { return v == 0.0f; }));
}

TEST_P(CpuInt4Table, NumbersThatAreTooLargeStayFinite) {
  auto values = normals(random_, 64, 1e30f);
  values[3] = std::numeric_limits<float>::infinity();
  const Matrix matrix = matrix_of(values, 64);
  const TableSpec spec{1, 64, StoredFormat::f32, TableType::int4};
  Guarded packed(backend_->packed_bytes(spec));
  for (const float v : run_embedding_by(*backend_, pack(*backend_, spec, matrix, packed, 1), {0}, 1.0f)) {
    EXPECT_TRUE(std::isfinite(v));
  }
}

// What the comment in kernels.h says, word by word.
TEST_P(CpuInt4Table, PackedRowIsWhatItsCommentSays) {
  const int64_t rows = 70, cols = 96;
  const TableSpec spec{rows, cols, StoredFormat::bf16, TableType::int4};
  const Matrix matrix = random_matrix(random_, {rows, cols, spec.stored, 0});
  Guarded packed(backend_->packed_bytes(spec));
  const Table table = pack(*backend_, spec, matrix, packed, MatrixPiece::kRowGranule);
  std::vector<float> expected;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      const auto* group = reinterpret_cast<const uint8_t*>(table.packed) + (row * cols / 32 + col / 32) * 18;
      uint16_t scale = 0;
      std::memcpy(&scale, group, 2);
      const int code = col % 32 < 16 ? group[2 + col % 16] & 15 : group[2 + col % 16] >> 4;
      expected.push_back(f16_to_f32(scale) * float(code - 8));
    }
  }
  expect_bits(run_embedding_by(*backend_, table, all_rows(rows), 1.0f), expected, "rows");
}

// Rows that are read when they are looked up, from bytes of a test.
class RowsOf final : public RowSource {
 public:
  explicit RowsOf(const Matrix& matrix) : matrix_(matrix) {}

  void read_rows(int table, std::span<const int32_t> ids, std::span<std::byte> rows) override {
    EXPECT_EQ(table, 3);
    const auto row_bytes = size_t(matrix_.piece.codes_stride);
    ASSERT_EQ(rows.size(), ids.size() * row_bytes);
    for (size_t i = 0; i < ids.size(); ++i) {
      std::memcpy(rows.data() + i * row_bytes, matrix_.codes.data() + size_t(ids[i]) * row_bytes, row_bytes);
    }
  }

 private:
  const Matrix& matrix_;
};

TEST_P(CpuTable, RowsThatAreReadAreThoseOfTheTable) {
  for (Backend* backend : {backend_.get(), reference_.get()}) {
    for (const TableType type : {TableType::as_stored, TableType::int8, TableType::int4}) {
      for (const StoredFormat stored : {StoredFormat::f16, StoredFormat::bf16, StoredFormat::f32}) {
        for (const int64_t cols : {20, 64, 96}) {
          const Matrix matrix = random_matrix(random_, {200, cols, stored, 0});
          const TableSpec spec{200, cols, stored, type};
          Guarded packed(backend->packed_bytes(spec));
          const Table whole = pack(*backend, spec, matrix, packed, MatrixPiece::kRowGranule);
          RowsOf source(matrix);
          const Table read{spec, nullptr, true, &source, 3};
          for (const size_t n : {0, 1, 17, 100}) {
            std::vector<int32_t> ids;
            for (size_t i = 0; i < n; ++i) ids.push_back(int32_t(random_() % 200));
            Arena counting;
            Ops(*backend, counting, 1).embedding(read, ids, 3.0f);
            Guarded memory(std::max<int64_t>(1, counting.peak_bytes()));
            Arena arena(memory.bytes());
            const Tensor y = Ops(*backend, arena, 1).embedding(read, ids, 3.0f);
            EXPECT_EQ(arena.peak_bytes(), counting.peak_bytes());
            expect_bits({y.f32(), y.f32() + y.n_elements()}, run_embedding(*backend, whole, ids),
                        fmt::format("{} rows of {} columns, type {}", n, cols, int(type)));
          }
        }
      }
    }
  }
}

// Logits of a table with n_exact against those with all exact.
class CpuHead : public CpuTable {
 protected:
  // Returns how many logits kept their coarse part.
  int64_t compare_split(const std::vector<float>& rows, int64_t cols, int64_t n, float softcap,
                        const std::vector<int32_t>& n_exact, const std::string& what) {
    Matrix matrix;
    matrix.spec = {int64_t(rows.size()) / cols, cols, StoredFormat::f32, 0};
    matrix.codes.resize(rows.size() * 4);
    std::memcpy(matrix.codes.data(), rows.data(), matrix.codes.size());
    matrix.piece.codes = matrix.codes.data();
    matrix.piece.codes_stride = cols * 4;
    const int64_t n_rows = matrix.spec.out;
    const TableSpec spec{n_rows, cols, StoredFormat::f32, TableType::int8};
    Guarded packed(backend_->packed_bytes(spec));
    const Table table = pack(*backend_, spec, matrix, packed, n_rows);
    const auto x = normals(random_, n * cols);
    const auto exact = run_head(*backend_, table, x, softcap);
    expect_bits(run_head(*backend_, table, x, softcap, std::vector<int32_t>(size_t(n), 0)), exact, what);
    const auto split = run_head(*backend_, table, x, softcap, n_exact);
    expect_bits(run_head(*cpu(GetParam(), 3), table, x, softcap, n_exact), split, what + " on 3 threads");
    int64_t n_coarse = 0;
    for (int64_t t = 0; t < n; ++t) {
      const auto row = rows_of(exact, n_rows, t, 1), mine = rows_of(split, n_rows, t, 1);
      const int64_t wanted = n_exact[size_t(t)] == 0 ? n_rows : std::min<int64_t>(n_exact[size_t(t)], n_rows);
      auto sorted = row;
      std::sort(sorted.begin(), sorted.end(), std::greater<>());
      const float nth = sorted[size_t(wanted - 1)];
      for (size_t i = 0; i < row.size(); ++i) {
        if (row[i] >= nth) {
          EXPECT_EQ(std::bit_cast<uint32_t>(mine[i]), std::bit_cast<uint32_t>(row[i]))
              << what << ": token " << t << ", row " << i;
        } else {
          EXPECT_LT(mine[i], nth) << what << ": token " << t << ", row " << i;
        }
        n_coarse += mine[i] != row[i];
      }
      expect_bits(run_head(*backend_, table, rows_of(x, cols, t, 1), softcap, {n_exact[size_t(t)]}), mine,
                  what + " alone");
    }
    return n_coarse;
  }
};
PARO_FOR_EVERY_ISA(CpuHead);

TEST_P(CpuHead, TheBestOfRandomTablesAreExact) {
  int64_t n_coarse = 0;
  for (const int64_t rows : {1, 16, 33, 1000}) {
    for (const int64_t cols : {32, 96}) {
      const auto table = normals(random_, rows * cols, 0.05f);
      for (const int n_exact : {1, 2, 5, 40, 2000}) {
        n_coarse += compare_split(table, cols, 1, 0, {n_exact}, fmt::format("[{}, {}] best {}", rows, cols, n_exact));
      }
      compare_split(table, cols, 9, 0, {1, 0, 3, 1, 50, 1, 7, 2, 1}, fmt::format("[{}, {}] nine tokens", rows, cols));
    }
  }
  EXPECT_GT(n_coarse, 1000) << "what is never left out is never tested";
}

// A cap that squeezes many logits into few numbers.
TEST_P(CpuHead, TiesMadeByTheSoftcapAreExact) {
  for (const float cap : {30.0f, 0.5f, 0.01f}) {
    const auto table = normals(random_, 600 * 64, 0.1f);
    compare_split(table, 64, 5, cap, {1, 1, 3, 10, 30}, fmt::format("cap {}", cap));
  }
}

TEST_P(CpuHead, RowsThatDifferInFineBitsOnlyAreTold) {
  constexpr int64_t kCols = 64;
  const auto base = normals(random_, kCols, 0.05f);
  const float largest = std::fabs(
      *std::max_element(base.begin(), base.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); }));
  std::vector<float> table;
  for (int row = 0; row < 700; ++row) {
    for (const float value : base) {
      const bool is_largest = std::fabs(value) == largest;
      table.push_back(is_largest ? value : value + float(int(random_() % 3) - 1) * largest / 127);
    }
  }
  compare_split(table, kCols, 6, 0, {1, 2, 8, 1, 0, 20}, "near ties");
}

TEST_P(CpuHead, EqualAndZeroRowsAreExact) {
  constexpr int64_t kCols = 64;
  const auto base = normals(random_, kCols, 0.05f);
  std::vector<float> equal, zero(size_t(300 * kCols), 0.0f);
  for (int row = 0; row < 300; ++row) equal.insert(equal.end(), base.begin(), base.end());
  compare_split(equal, kCols, 3, 0, {1, 5, 0}, "equal rows");
  compare_split(zero, kCols, 3, 0, {1, 5, 0}, "zero rows");
  for (int64_t i = 0; i < 40 * kCols; ++i) zero[size_t(i)] = normal(random_, 0.05f);
  compare_split(zero, kCols, 3, 30, {1, 30, 0}, "rows and zero rows");
}

TEST_P(CpuHead, NumbersThatAreNoneStayDefined) {
  auto table = normals(random_, 200 * 64, 0.05f);
  table[64 * 3 + 5] = std::numeric_limits<float>::quiet_NaN();
  table[64 * 90 + 5] = std::numeric_limits<float>::infinity();
  Matrix matrix = random_matrix(random_, {200, 64, StoredFormat::f32, 0});
  std::memcpy(matrix.codes.data(), table.data(), matrix.codes.size());
  const TableSpec spec{200, 64, StoredFormat::f32, TableType::int8};
  Guarded packed(backend_->packed_bytes(spec));
  const Table packed_table = pack(*backend_, spec, matrix, packed, 200);
  auto x = normals(random_, 64);
  const auto exact = run_head(*backend_, packed_table, x, 0), best = run_head(*backend_, packed_table, x, 0, {4});
  for (size_t i = 0; i < 200; ++i) EXPECT_TRUE(i == 3 || i == 90 || std::isfinite(exact[i])) << i;
  for (size_t i = 0; i < 200; ++i) EXPECT_TRUE(i == 3 || i == 90 || std::isfinite(best[i])) << i;
  x[7] = std::numeric_limits<float>::quiet_NaN();
  run_head(*backend_, packed_table, x, 0, {4});
}

}  // namespace
}  // namespace paro::test
