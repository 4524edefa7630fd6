#include "tensor/shape.h"

#include <gtest/gtest.h>

#include "tensor/tensor.h"
#include "tests/base/temporary_directory.h"

namespace paro::test {
namespace {

TEST(Shape, OfAScalarHasOneElement) {
  const Shape scalar;
  EXPECT_EQ(scalar.rank(), 0);
  EXPECT_EQ(scalar.n_elements(), 1);
  EXPECT_EQ(scalar.last(), 1);
  EXPECT_EQ(to_string(scalar), "[]");
}

TEST(Shape, CountsItsElements) {
  const Shape shape{2, 3, 5, 7};
  EXPECT_EQ(shape.rank(), 4);
  EXPECT_EQ(shape.n_elements(), 210);
  EXPECT_EQ(shape[1], 3);
  EXPECT_EQ(shape.last(), 7);
  EXPECT_EQ(to_string(shape), "[2, 3, 5, 7]");
  EXPECT_EQ((Shape{4, 0, 2}).n_elements(), 0);
  EXPECT_EQ((Shape{int64_t(1) << 31, 4}).n_elements(), int64_t(1) << 33);
}

TEST(Shape, ComparesRankAndExtents) {
  EXPECT_EQ((Shape{8, 704}), (Shape{8, 704}));
  EXPECT_NE((Shape{8, 704}), (Shape{704, 8}));
  EXPECT_NE((Shape{8}), (Shape{8, 0}));
  EXPECT_NE((Shape{8}), (Shape{8, 1}));
}

TEST(Shape, RefusesAFifthExtent) {
  Shape shape{1, 2, 3, 4};
  EXPECT_TRUE(contains(error_of(ErrorKind::internal, [&] { shape.append(5); }), {"rank 5"}));
}

TEST(Tensor, ReshapesToTheSameElementsOnly) {
  float values[6] = {};
  const Tensor tensor{DType::f32, {2, 3}, reinterpret_cast<std::byte*>(values)};
  EXPECT_EQ(tensor.n_bytes(), 24);
  const Tensor flat = tensor.reshape({6});
  EXPECT_EQ(flat.f32(), values);
  EXPECT_EQ(flat.shape, (Shape{6}));
  EXPECT_TRUE(contains(error_of(ErrorKind::internal, [&] { tensor.reshape({2, 4}); }), {"[2, 3] as [2, 4]"}));
}

TEST(Tensor, RefusesToBeReadAsAnotherType) {
  float value = 0;
  const Tensor tensor{DType::f32, {1}, reinterpret_cast<std::byte*>(&value)};
  EXPECT_TRUE(contains(error_of(ErrorKind::internal, [&] { tensor.i32(); }), {"F32"}));
}

TEST(DType, NamesAndSizesAreThoseOfSafetensors) {
  EXPECT_EQ(to_string(DType::bf16), "BF16");
  EXPECT_EQ(size_bytes(DType::i64), 8);
  EXPECT_EQ(size_bytes(DType::f32), 4);
  EXPECT_EQ(size_bytes(DType::i16), 2);
  EXPECT_EQ(size_bytes(DType::u8), 1);
}

}  // namespace
}  // namespace paro::test
