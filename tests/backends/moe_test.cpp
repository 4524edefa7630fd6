// The Mixture of Experts against the reference, and its manners towards the source of experts.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "op_test.h"

namespace paro::test {
namespace {

struct StoredExperts {
  ExpertSpec spec;
  std::vector<Matrix> gate, up, down;
  Turn gate_up_turn, down_turn;
};

class Source final : public ExpertSource {
 public:
  Source(const Backend& backend, const StoredExperts& stored) {
    for (size_t e = 0; e < stored.gate.size(); ++e) {
      auto& packed = packed_.emplace_back(std::make_unique<Guarded>(backend.packed_bytes(stored.spec)));
      std::memset(packed->data(), 0, packed->bytes().size());
      backend.pack(stored.spec, ExpertPart::gate, stored.gate[e].piece, packed->data());
      backend.pack(stored.spec, ExpertPart::up, stored.up[e].piece, packed->data());
      backend.pack(stored.spec, ExpertPart::down, stored.down[e].piece, packed->data());
    }
  }
  bool is_streamed() const override { return false; }
  void request(int, std::span<const int32_t>, int64_t) override {}
  void expect(int, std::span<const int32_t>, int64_t) override {}
  // A few at a time and the last ones first, if asked to: the order in which experts come is nobody's promise.
  int hold(int, std::span<int32_t> experts, std::span<const std::byte*> packed) override {
    if (from_the_back) std::reverse(experts.begin(), experts.end());
    const size_t n = std::min({experts.size(), packed.size(), size_t(most_at_once)});
    for (size_t i = 0; i < n; ++i) {
      if (experts[i] == failing) throw std::runtime_error("no such expert");
    }
    for (size_t i = 0; i < n; ++i) {
      ++held_[experts[i]];
      ++n_acquired[experts[i]];
      packed[i] = packed_[size_t(experts[i])]->data();
    }
    most_held = std::max(most_held, int(held_.size()));
    return int(n);
  }
  void release(int, std::span<const int32_t> experts) override {
    for (const int32_t expert : experts) {
      if (--held_.at(expert) == 0) held_.erase(expert);
    }
  }

  size_t n_held() const { return held_.size(); }
  int most_held = 0;
  int most_at_once = 1000;
  bool from_the_back = false;
  int failing = -1;
  std::map<int, int> n_acquired;

 private:
  std::vector<std::unique_ptr<Guarded>> packed_;
  std::map<int, int> held_;
};

struct MoeCase {
  int top_k = 2;
  bool renormalize = true;
  std::vector<float> per_expert_scale;
  Activation activation = Activation::gelu_tanh;
};

class CpuMoe : public CpuOps {
 protected:
  StoredExperts random_experts(const ExpertSpec& spec, int n_experts) {
    StoredExperts stored{spec, {}, {}, {}, {}, {}};
    for (int e = 0; e < n_experts; ++e) {
      stored.gate.push_back(random_matrix(random_, spec.gate()));
      stored.up.push_back(random_matrix(random_, spec.gate()));
      stored.down.push_back(random_matrix(random_, spec.down()));
    }
    stored.gate_up_turn = random_turn(random_, {spec.hidden, spec.group_size, 8});
    stored.down_turn = random_turn(random_, {spec.intermediate, spec.group_size, 8});
    return stored;
  }

  static std::vector<float> run(Backend& backend, Source& source, const StoredExperts& stored, const MoeCase& c,
                                std::vector<float> x, std::vector<float> logits) {
    const ExpertSpec& spec = stored.spec;
    const int n_experts = int(stored.gate.size());
    const int64_t n = int64_t(x.size()) / spec.hidden;
    Guarded gate_up(backend.packed_bytes(stored.gate_up_turn.spec));
    Guarded down(backend.packed_bytes(stored.down_turn.spec));
    backend.pack(stored.gate_up_turn.spec, stored.gate_up_turn.stored, gate_up.data());
    backend.pack(stored.down_turn.spec, stored.down_turn.stored, down.data());
    Experts experts;
    experts.spec = spec;
    experts.n_experts = n_experts;
    experts.gate_up = {stored.gate_up_turn.spec, gate_up.data()};
    experts.down = {stored.down_turn.spec, down.data()};
    experts.source = &source;
    Output y({n, spec.hidden});
    std::vector<int32_t> chosen(size_t(n * c.top_k), -1);
    const Tensor choice{DType::i32, {n, c.top_k}, reinterpret_cast<std::byte*>(chosen.data())};
    Output weights({n, c.top_k});
    const RouteArgs route{view(logits, {n, n_experts}), experts, c.renormalize,
                          view(c.per_expert_scale),     choice,  weights.tensor()};
    Guarded route_scratch(backend.scratch_bytes(route));
    backend.route(route, route_scratch.bytes());
    const MoeArgs args{view(x, {n, spec.hidden}), choice, weights.tensor(), experts, c.activation, y.tensor()};
    Guarded scratch(backend.scratch_bytes(args));
    backend.moe(args, scratch.bytes());
    return y.values();
  }
};
PARO_FOR_EVERY_ISA(CpuMoe);

TEST_P(CpuMoe, MatchesReferenceFromOneRowToMany) {
  const StoredExperts stored = random_experts({128, 192, StoredFormat::int4_awq, 64}, 20);
  Source fast(*backend_, stored);
  Source exact(*reference_, stored);
  for (const int64_t n : {1, 2, 5, 40, 130}) {
    for (const bool renormalize : {true, false}) {
      MoeCase c;
      c.top_k = n == 2 ? 20 : 3;
      c.renormalize = renormalize;
      c.activation = renormalize ? Activation::silu : Activation::gelu_tanh;
      if (renormalize) c.per_expert_scale = normals(random_, 20);
      const auto x = normals(random_, n * 128);
      const auto logits = normals(random_, n * 20, 2);
      expect_rows_near(run(*backend_, fast, stored, c, x, logits), run(*reference_, exact, stored, c, x, logits), 128,
                       0.04f, fmt::format("{} rows", n));
    }
  }
  EXPECT_EQ(fast.n_held(), 0u);
}

TEST_P(CpuMoe, MatchesReferenceInTheNativeFormat) {
  const StoredExperts stored = random_experts({256, 128, StoredFormat::int4_native, 128}, 4);
  Source fast(*backend_, stored);
  Source exact(*reference_, stored);
  const auto x = normals(random_, 9 * 256);
  const auto logits = normals(random_, 9 * 4);
  expect_rows_near(run(*backend_, fast, stored, {}, x, logits), run(*reference_, exact, stored, {}, x, logits), 256,
                   0.04f, "native");
}

TEST_P(CpuMoe, RowsDependOnNothingButThemselves) {
  const StoredExperts stored = random_experts({128, 128, StoredFormat::int4_awq, 64}, 24);
  Source source(*backend_, stored);
  MoeCase c;
  c.top_k = 4;
  constexpr int64_t n = 90;
  const auto x = normals(random_, n * 128);
  const auto logits = normals(random_, n * 24);
  const auto together = run(*backend_, source, stored, c, x, logits);
  for (const int n_threads : {1, 2, 3, 7}) {
    const auto other = cpu(GetParam(), n_threads);
    expect_bits(run(*other, source, stored, c, x, logits), together, fmt::format("{} threads", n_threads));
    for (const int64_t chunk : {1, 6, 40}) {
      std::vector<float> parts;
      for (int64_t i = 0; i < n; i += chunk) {
        const int64_t rows = std::min(chunk, n - i);
        const auto part = run(*other, source, stored, c, rows_of(x, 128, i, rows), rows_of(logits, 24, i, rows));
        parts.insert(parts.end(), part.begin(), part.end());
      }
      expect_bits(parts, together, fmt::format("chunks of {} on {} threads", chunk, n_threads));
    }
  }
}

TEST_P(CpuMoe, TheOrderInWhichExpertsComeChangesNothing) {
  const StoredExperts stored = random_experts({128, 128, StoredFormat::int4_awq, 64}, 24);
  MoeCase c;
  c.top_k = 4;
  for (const int64_t n : {1, 3, 30, 90}) {
    Source source(*backend_, stored);
    const auto x = normals(random_, n * 128);
    const auto logits = normals(random_, n * 24);
    const auto ascending = run(*backend_, source, stored, c, x, logits);
    source.from_the_back = true;
    for (const int most : {1, 3, 16}) {
      source.most_at_once = most;
      expect_bits(run(*backend_, source, stored, c, x, logits), ascending, fmt::format("{} rows, {} held", n, most));
    }
    EXPECT_EQ(source.n_held(), 0u);
  }
}

TEST_P(CpuMoe, OneExpertMayTakeAllRows) {
  const StoredExperts stored = random_experts({64, 64, StoredFormat::int4_awq, 64}, 3);
  Source fast(*backend_, stored);
  Source exact(*reference_, stored);
  MoeCase c;
  c.top_k = 1;
  for (const int64_t n : {60, 200}) {  // shared by all threads, and one thread a piece
    std::vector<float> logits(size_t(n) * 3);
    for (size_t i = 1; i < logits.size(); i += 3) logits[i] = 5;
    const auto x = normals(random_, n * 64);
    fast.n_acquired.clear();
    expect_rows_near(run(*backend_, fast, stored, c, x, logits), run(*reference_, exact, stored, c, x, logits), 64,
                     0.05f, "one expert");
    EXPECT_EQ(fast.n_acquired.size(), 1u);
  }
}

TEST_P(CpuMoe, EqualLogitsChooseTheLowerExpert) {
  const StoredExperts stored = random_experts({64, 64, StoredFormat::int4_awq, 64}, 6);
  Source source(*backend_, stored);
  run(*backend_, source, stored, {}, normals(random_, 64), std::vector<float>(6));
  EXPECT_EQ(source.n_acquired, (std::map<int, int>{{0, 1}, {1, 1}}));
}

TEST_P(CpuMoe, HoldsABoundedNumberOfExpertsAndAcquiresEachOnce) {
  const StoredExperts stored = random_experts({64, 64, StoredFormat::int4_awq, 64}, 40);
  for (const int64_t n : {8, 100}) {
    Source source(*backend_, stored);
    MoeCase c;
    c.top_k = 8;
    run(*backend_, source, stored, c, normals(random_, n * 64), normals(random_, n * 40));
    EXPECT_LE(source.most_held, 16);
    EXPECT_EQ(source.n_held(), 0u);
    for (const auto& [expert, count] : source.n_acquired) EXPECT_EQ(count, 1) << "expert " << expert;
  }
}

TEST_P(CpuMoe, AFailingSourceIsReportedAndEverythingGivenBack) {
  const StoredExperts stored = random_experts({64, 64, StoredFormat::int4_awq, 64}, 8);
  Source source(*backend_, stored);
  source.failing = 5;
  MoeCase c;
  c.top_k = 8;
  EXPECT_THROW(run(*backend_, source, stored, c, normals(random_, 64), normals(random_, 8)), std::runtime_error);
  EXPECT_EQ(source.n_held(), 0u);
}

}  // namespace
}  // namespace paro::test
