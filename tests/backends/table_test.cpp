// Embeddings and heads in both table types.
#include <fmt/format.h>

#include "op_test.h"

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

  static std::vector<float> run_head(Backend& backend, const Table& table, std::vector<float> x, float softcap) {
    const int64_t n = int64_t(x.size()) / table.spec.cols;
    Output logits({n, table.spec.rows});
    const HeadArgs args{view(x, {n, table.spec.cols}), table, softcap, logits.tensor()};
    Guarded scratch(backend.scratch_bytes(args));
    backend.head(args, scratch.bytes());
    return logits.values();
  }

  static std::vector<float> run_embedding(Backend& backend, const Table& table, const std::vector<int32_t>& ids) {
    Output y({int64_t(ids.size()), table.spec.cols});
    backend.embedding(table, ids, 3.0f, y.tensor());
    return y.values();
  }

  void compare(int64_t rows, int64_t cols, StoredFormat stored, TableType type, int64_t n, float softcap) {
    const std::string what =
        fmt::format("[{}, {}] stored {} type {} n {} cap {}", rows, cols, int(stored), int(type), n, softcap);
    const Matrix matrix = random_matrix(random_, {rows, cols, stored, 0});
    const TableSpec spec{rows, cols, stored, type};
    const TableSpec exact_spec{rows, cols, stored, TableType::as_stored};
    Guarded packed(backend_->packed_bytes(spec));
    Guarded exact_packed(reference_->packed_bytes(exact_spec));
    const Table fast = pack(*backend_, spec, matrix, packed, 7);
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

}  // namespace
}  // namespace paro::test
