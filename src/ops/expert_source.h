// Where the packed experts of a model lie: all in memory, or streamed into a few slots. Asked in `route` and `moe`
// only, by the thread that runs the step; where nothing is streamed, by those that run its lanes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace paro {

class ExpertSource {
 public:
  virtual ~ExpertSource() = default;

  // Whether request and expect bring anything forward.
  virtual bool is_streamed() const = 0;

  // chosen [n_rows, top_k]: the experts of a layer that the step holds next. Those that are absent are fetched from
  // here on, while the step computes something else.
  virtual void request(int layer, std::span<const int32_t> chosen, int64_t n_rows) = 0;

  // The same for a later layer, as a guess: fetched while there is nothing else to fetch.
  virtual void expect(int layer, std::span<const int32_t> chosen, int64_t n_rows) = 0;

  // Holds at least one of `experts`, unless that is empty, and at most as many as `packed` has room for; returns how
  // many. Those that are there come first, and absent ones are waited for only when none is: what is held is moved to
  // the front of `experts`, and its weights stand in `packed` until it is released. Throws Error{io} when an expert
  // cannot be read; then none is held.
  virtual int hold(int layer, std::span<int32_t> experts, std::span<const std::byte*> packed) = 0;
  virtual void release(int layer, std::span<const int32_t> experts) = 0;
};

}  // namespace paro
