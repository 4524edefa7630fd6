// Which expert should give way when a slot is needed: hit rates of half-lives from LRU to LFU, over routing traces.
//
// usage: expert_policy [MODEL]
//
// Traces: what the routers of MODEL choose while it reads its own greedy continuation of some prompts, and synthetic
// ones whose experts are as popular as Zipf's law has it, for a popularity that stays and one that changes from topic
// to topic.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "engine/expert_slots.h"
#include "engine/kv_cache.h"
#include "engine/resident_experts.h"
#include "engine/weight_loader.h"
#include "models/model.h"
#include "tensor/buffer.h"

namespace paro {
namespace {

// What one layer chose for the rows of one step.
struct Choice {
  int layer = 0;
  int n_rows = 0;
  std::vector<int32_t> experts;  // [n_rows, top_k]
};
struct Trace {
  std::string name;
  std::vector<int> n_experts;  // of each layer
  std::vector<Choice> choices;
};

// A prompt of n_prompt tokens in one step, then n_decode single ones; experts drawn with weights 1 / rank^exponent.
// Every topic_tokens tokens the ranks are dealt anew, 0: never.
Trace zipf_trace(const char* name, double exponent, int topic_tokens) {
  constexpr int kLayers = 30, kExperts = 128, kTopK = 8, kPrompt = 512, kDecode = 2048;
  Trace trace{name, std::vector<int>(kLayers, kExperts), {}};
  std::mt19937 random(7);
  std::vector<std::vector<double>> weights(kLayers, std::vector<double>(kExperts));
  const auto deal = [&] {
    for (auto& layer : weights) {
      for (int e = 0; e < kExperts; ++e) layer[size_t(e)] = std::pow(e + 1, -exponent);
      std::shuffle(layer.begin(), layer.end(), random);
    }
  };
  deal();
  const auto choose = [&](int layer, Choice& choice) {
    std::vector<double> left = weights[size_t(layer)];
    for (int k = 0; k < kTopK; ++k) {
      const int e = std::discrete_distribution<int>(left.begin(), left.end())(random);
      choice.experts.push_back(e);
      left[size_t(e)] = 0;
    }
    ++choice.n_rows;
  };
  for (int token = 0; token < kDecode; ++token) {
    if (topic_tokens > 0 && token % topic_tokens == 0 && token > 0) deal();
    for (int layer = 0; layer < kLayers; ++layer) {
      Choice choice{layer, 0, {}};
      for (int row = 0; row < (token == 0 ? kPrompt : 1); ++row) choose(layer, choice);
      trace.choices.push_back(std::move(choice));
    }
  }
  return trace;
}

// All experts in memory, and a note of who was chosen.
class RecordingExperts final : public ExpertSource {
 public:
  ResidentExperts resident;
  std::vector<Choice> choices;

  bool is_streamed() const override { return true; }
  void request(int layer, std::span<const int32_t> chosen, int64_t n_rows) override {
    choices.push_back({layer, int(n_rows), {chosen.begin(), chosen.end()}});
  }
  void expect(int, std::span<const int32_t>, int64_t) override {}
  int hold(int layer, std::span<int32_t> experts, std::span<const std::byte*> packed) override {
    return resident.hold(layer, experts, packed);
  }
  void release(int, std::span<const int32_t>) override {}
};

// The choices of a model that reads random prompts and goes on greedily, each sequence by itself.
Trace model_trace(const std::filesystem::path& directory) {
  constexpr int kSequences = 8, kPrompt = 32, kDecode = 256, kContext = kPrompt + kDecode;
  const auto backend = make_cpu_backend({});
  const ModelConfig config = ModelConfig::load(directory);
  const SafetensorsFiles files = SafetensorsFiles::open(directory);
  RecordingExperts experts;
  const WeightBinder::Options binding{.head_type = backend->default_head_type(), .experts = &experts};
  WeightBinder sizes(*backend, config, &files, nullptr, binding);
  find_architecture(config).make(config, sizes);
  const Buffer weights(sizes.n_bytes(), "weights");
  WeightBinder binder(*backend, config, &files, weights.data(), binding);
  const auto model = find_architecture(config).make(config, binder);
  experts.resident.set(binder.expert_regions(), weights.data());
  const Buffer staging(staging_bytes(binder.loads(), backend->n_threads()), "staging");
  load_weights(binder.loads(), files, *backend, weights.bytes(), staging.bytes(), {});

  const ModelSpec& spec = model->spec();
  const KvLayout layout(*backend, spec, backend->default_kv_type(), kContext, 1, kPrompt);
  const Buffer pages(layout.n_bytes, "the cache");
  KvCache cache(*backend, spec, backend->default_kv_type(), layout, pages.bytes());
  const auto step = [&](Arena& arena, int slot, int position, std::span<const int32_t> tokens) {
    std::vector<int32_t> positions(tokens.size());
    std::iota(positions.begin(), positions.end(), position);
    const std::vector<int32_t> sequences(tokens.size(), slot);
    const int32_t last = int32_t(tokens.size()) - 1;
    const auto rows = [&](size_t begin) {
      return Batch{tokens.subspan(begin), std::span(positions).subspan(begin), std::span(sequences).subspan(begin),
                   cache.tables()};
    };
    Ops ops(*backend, arena, kContext);
    return model->forward(ops, {rows(0), rows(size_t(last)), {&last, 1}, {}, cache.layers()});
  };
  Arena counting;
  step(counting, 0, 0, std::vector<int32_t>(kPrompt));
  const Buffer memory(counting.peak_bytes(), "a step");

  std::mt19937 random(5);
  for (int sequence = 0; sequence < kSequences; ++sequence) {
    const int slot = cache.open(kContext);
    std::vector<int32_t> tokens(kPrompt);
    for (int32_t& token : tokens) token = int32_t(random() % uint32_t(spec.vocab_size));
    for (int position = 0; position + int(tokens.size()) <= kContext;) {
      cache.extend(slot, position, position + int(tokens.size()));
      Arena arena(memory.bytes());
      const Tensor logits = step(arena, slot, position, tokens);
      position += int(tokens.size());
      tokens = {int32_t(std::max_element(logits.f32(), logits.f32() + spec.vocab_size) - logits.f32())};
    }
    cache.close(slot);
  }
  Trace trace{directory.string(), {}, std::move(experts.choices)};
  for (const ExpertRegion& region : binder.expert_regions()) {
    trace.n_experts.resize(size_t(region.layer) + 1);
    trace.n_experts.back() = region.n_experts;
  }
  return trace;
}

double hit_share(const Trace& trace, double part, double half_life_tokens) {
  const int n_experts = std::accumulate(trace.n_experts.begin(), trace.n_experts.end(), 0);
  ExpertSlots slots(trace.n_experts, std::max(1, int(n_experts * part)), half_life_tokens);
  int64_t n_requested = 0, n_hits = 0;  // of single tokens, not of prompts
  for (const Choice& choice : trace.choices) {
    const ExpertStats before = slots.stats();
    slots.request(choice.layer, choice.experts, choice.n_rows);
    if (choice.n_rows == 1) {
      n_requested += slots.stats().n_requested - before.n_requested;
      n_hits += slots.stats().n_hits - before.n_hits;
    }
    std::vector<int32_t> experts = choice.experts;
    std::sort(experts.begin(), experts.end());
    experts.erase(std::unique(experts.begin(), experts.end()), experts.end());
    for (std::span<int32_t> left(experts); !left.empty();) {
      const auto next = [&] {
        const auto wanted = slots.begin_wanted();
        return wanted ? wanted : slots.begin_guess();
      };
      while (const auto fetch = next()) slots.end_fetch(fetch->number, ExpertSlots::Outcome::ready);
      const int n = slots.hold(choice.layer, left, 16);
      slots.release(choice.layer, left.first(size_t(n)));
      left = left.subspan(size_t(n));
    }
  }
  return double(n_hits) / double(std::max<int64_t>(1, n_requested));
}

void show(const Trace& trace) {
  constexpr double kHalfLives[] = {0.25, 4, 16, 64, 256, 1024, 1e6};
  std::printf("%s: hits of single tokens in %%, by half-life in tokens\n  resident", trace.name.c_str());
  for (const double half_life : kHalfLives) std::printf("%9g", half_life);
  std::printf("\n");
  for (const double part : {0.1, 0.25, 0.5, 0.75}) {
    std::printf("%8.0f %%", 100 * part);
    for (const double half_life : kHalfLives) std::printf("%9.1f", 100 * hit_share(trace, part, half_life));
    std::printf("\n");
  }
}

}  // namespace
}  // namespace paro

int main(int n_arguments, char** arguments) try {
  if (n_arguments > 1) paro::show(paro::model_trace(arguments[1]));
  paro::show(paro::zipf_trace("Zipf 1.0, one topic", 1.0, 0));
  paro::show(paro::zipf_trace("Zipf 0.6, one topic", 0.6, 0));
  paro::show(paro::zipf_trace("Zipf 1.0, a topic of 256 tokens", 1.0, 256));
  paro::show(paro::zipf_trace("Zipf 1.0, a topic of 64 tokens", 1.0, 64));
  paro::show(paro::zipf_trace("all alike", 0.0, 0));
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "expert_policy: %s\n", error.what());
  return 1;
}
