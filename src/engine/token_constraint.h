// What holds one sequence's tokens to a language: the sampler asks which may come next, and tells what was chosen.
#pragma once

#include <cstdint>
#include <span>

namespace paro {

// One sequence's own, used by the inference thread alone from its submission on.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  // Bit id % 32 of word id / 32 is set where token `id` may come next, stop tokens where the language may end:
  // [ceil(vocab_size / 32)] words that hold until accept(). Empty: every token may. A language that leaves no token is
  // the constraint's Error to throw, which ends this sequence alone.
  virtual std::span<const uint32_t> allowed() = 0;

  // The token that was chosen: one of those allowed, and none that ended the sequence.
  virtual void accept(int32_t id) = 0;
};

}  // namespace paro
