// The same model stored in other ways gives the same logits: without text_config, in the older native layout, with
// biases, with a head of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/float16.h"
#include "paroquant/decode.h"
#include "tests/models/edited_checkpoint.h"
#include "tests/models/golden.h"

namespace paro {
namespace {

using test::EditedCheckpoint;
using test::EditedTensor;
using test::Golden;
using test::replace;

constexpr const char* kModel = "gemma4-31b";

std::vector<float> logits_of(const EditedCheckpoint& checkpoint) {
  const Golden golden = Golden::load(kModel);
  ModelRunner runner(checkpoint.options(), make_reference_backend());
  const int n = int(golden.input_ids.size());
  const int slot = runner.cache().open(n);
  std::vector<StepRow> rows;
  for (int i = 0; i < n; ++i) rows.push_back({golden.input_ids[size_t(i)], i, slot, true});
  runner.cache().extend(slot, 0, n);
  const Tensor logits = runner.run(rows);
  return {logits.f32(), logits.f32() + logits.n_elements()};
}

float worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  float worst = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

TEST(Variants, ConfigWithoutTextConfig) {
  const EditedCheckpoint checkpoint(kModel, [](std::vector<EditedTensor>& tensors, std::string& config) {
    // { "model_type": ..., "text_config": { A }, B }  ->  { A , B }
    const auto open = config.find("\"text_config\": {");
    const auto close = config.find("\n },", open);
    ASSERT_NE(open, std::string::npos);
    ASSERT_NE(close, std::string::npos);
    const auto inside = open + std::string("\"text_config\": {").size();
    config = "{" + config.substr(inside, close - inside) + "," + config.substr(close + 4);
    for (EditedTensor& t : tensors) replace(t.name, "model.language_model.", "model.");
  });
  EXPECT_LE(worst_difference(logits_of(checkpoint), Golden::load(kModel).logits), 5e-5f);
}

TEST(Variants, OlderNativeLayout) {
  int n_linears = 0;
  const EditedCheckpoint checkpoint(kModel, [&](std::vector<EditedTensor>& tensors, std::string&) {
    std::map<std::string, EditedTensor*> by_name;
    for (EditedTensor& t : tensors) by_name[t.name] = &t;
    for (auto& [name, qweight] : by_name) {
      if (!name.ends_with(".qweight")) continue;
      ++n_linears;
      const std::string base = name.substr(0, name.size() - 8);
      EditedTensor &zeros = *by_name.at(base + ".qzeros"), &scales = *by_name.at(base + ".scales");
      const int64_t in = qweight->shape[0], out = qweight->shape[1] * 8, n_groups = scales.shape[0];
      const MatrixSpec spec{out, in, StoredFormat::int4_awq, int(in / n_groups)};
      const MatrixPiece piece{.n_rows = out,
                              .n_cols = in,
                              .codes = qweight->data.data(),
                              .codes_stride = out / 2,
                              .scales = scales.data.data(),
                              .scales_stride = out * 2,
                              .zeros = zeros.data.data(),
                              .zeros_stride = out / 2};
      std::vector<uint16_t> codes(size_t(out / 4 * in), 0);
      std::vector<uint16_t> scaled_zeros(size_t(n_groups * out));
      for (int64_t row = 0; row < out; ++row) {
        for (int64_t col = 0; col < in; ++col) {
          const Int4Weight w = int4_weight(spec, piece, row, col);
          codes[size_t(row / 4 * in + col)] |= uint16_t(w.code << (4 * (row % 4)));
          scaled_zeros[size_t(col / spec.group_size * out + row)] = f32_to_f16(w.scaled_zero);
        }
      }
      const auto bytes = [](const std::vector<uint16_t>& v) {
        const auto* begin = reinterpret_cast<const std::byte*>(v.data());
        return std::vector<std::byte>(begin, begin + v.size() * 2);
      };
      *qweight = {base + ".qlinear.qweight", DType::i16, {out / 4, in}, bytes(codes)};
      zeros = {base + ".qlinear.scaled_zeros", DType::f16, {n_groups, out}, bytes(scaled_zeros)};
      scales.name = base + ".qlinear.scales";
      for (const char* part : {"theta", "pairs", "channel_scales"}) {
        EditedTensor& t = *by_name.at(base + "." + part);
        t.name = base + ".rotation." + part;
        if (t.shape.rank() == 2 && t.shape[0] == 1) t.shape = {t.shape[1]};
      }
    }
  });
  EXPECT_GT(n_linears, 15);
  // The zero points are rounded to f16 in this layout: close to the logits of the other, not equal.
  EXPECT_LE(worst_difference(logits_of(checkpoint), Golden::load(kModel).logits), 2e-2f);
}

TEST(Variants, BiasesAreAdded) {
  const auto with_bias = [](float value) {
    return EditedCheckpoint(kModel, [value](std::vector<EditedTensor>& tensors, std::string&) {
      std::vector<EditedTensor> biases;
      for (const EditedTensor& t : tensors) {
        if (!t.name.ends_with("layers.1.mlp.down_proj.qweight")) continue;
        EditedTensor bias{t.name, DType::f16, {t.shape[1] * 8}, std::vector<std::byte>(size_t(t.shape[1] * 16))};
        ASSERT_TRUE(replace(bias.name, ".qweight", ".bias"));
        for (int64_t i = 0; i < bias.shape[0]; ++i) bias.set(i, f32_to_f16(i % 3 == 0 ? value : 0.0f));
        biases.push_back(bias);
      }
      ASSERT_EQ(biases.size(), 1u);
      tensors.push_back(biases[0]);
    });
  };
  const auto expected = Golden::load(kModel).logits;
  EXPECT_LE(worst_difference(logits_of(with_bias(0)), expected), 5e-5f);
  EXPECT_GT(worst_difference(logits_of(with_bias(1)), expected), 1e-2f);
}

TEST(Variants, AHeadOfItsOwn) {
  const auto untied = [](float factor) {
    return EditedCheckpoint(kModel, [factor](std::vector<EditedTensor>& tensors, std::string& config) {
      ASSERT_TRUE(replace(config, "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"));
      EditedTensor head;
      for (const EditedTensor& t : tensors) {
        if (t.name == "model.language_model.embed_tokens.weight") head = t;
      }
      ASSERT_EQ(head.dtype, DType::f16);
      head.name = "lm_head.weight";
      for (int64_t i = 0; i < head.shape.n_elements(); ++i) {
        head.set(i, f32_to_f16(factor * f16_to_f32(head.get<uint16_t>(i))));
      }
      tensors.push_back(head);
    });
  };
  const auto expected = Golden::load(kModel).logits;
  EXPECT_LE(worst_difference(logits_of(untied(1)), expected), 5e-5f);
  EXPECT_GT(worst_difference(logits_of(untied(0.5f)), expected), 1e-1f);
}

}  // namespace
}  // namespace paro
