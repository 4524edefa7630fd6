#include "server/thinking_budget.h"

#include <utility>

namespace paro::server {
namespace {

class ThinkingBudget final : public TokenConstraint {
 public:
  ThinkingBudget(std::shared_ptr<TokenConstraint> inner, const ThinkingLimits& limits, int vocab_size)
      : inner_(std::move(inner)), limits_(limits), vocab_size_(vocab_size), in_thought_(limits.in_thought) {}

  std::span<const uint32_t> allowed() override {
    if (!in_thought_ || n_tokens_ < limits_.max_tokens) return inner_ ? inner_->allowed() : std::span<const uint32_t>();
    if (only_close_.empty()) {
      only_close_.resize((static_cast<size_t>(vocab_size_) + 31) / 32);
      const auto id = static_cast<size_t>(limits_.close_token);
      only_close_[id / 32] |= 1u << (id % 32);
    }
    return only_close_;
  }

  void accept(int32_t id) override {
    if (inner_) inner_->accept(id);
    if (id == limits_.open_token) {
      in_thought_ = true;
    } else if (id == limits_.close_token) {
      in_thought_ = false;
    } else if (in_thought_) {
      ++n_tokens_;
    }
  }

 private:
  const std::shared_ptr<TokenConstraint> inner_;  // this one's alone
  const ThinkingLimits limits_;
  const int vocab_size_;
  bool in_thought_;
  int n_tokens_ = 0;                  // of thoughts
  std::vector<uint32_t> only_close_;  // made when it is first asked for
};

}  // namespace

std::shared_ptr<TokenConstraint> make_thinking_budget(std::shared_ptr<TokenConstraint> inner,
                                                      const ThinkingLimits& limits, int vocab_size) {
  return std::make_shared<ThinkingBudget>(std::move(inner), limits, vocab_size);
}

}  // namespace paro::server
