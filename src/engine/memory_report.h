// The memory plan as everyone sees it: `paro plan`, the start-up table and /v1/memory show this one shape.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace paro {

struct MemoryClass {
  std::string name;  // "weights", "kv cache", ...
  int64_t plan_bytes = 0;
  int64_t actual_bytes = 0;  // taken so far; 0 before loading
};

// Experts of all layers, and how those that are streamed come to be in memory. A request is one expert that a step
// needs.
struct ExpertStats {
  int64_t n_experts = 0;
  int64_t n_slots = 0;  // as many as experts: all are resident
  int64_t n_requested = 0;
  int64_t n_hits = 0;           // requests for what an earlier request had left in a slot
  int64_t n_fetched = 0;        // read from disk, wanted or guessed
  int64_t n_guessed = 0;        // of those, read before they were asked for
  int64_t n_guessed_right = 0;  // and asked for then
  int64_t n_read_bytes = 0;
  double wait_seconds = 0;  // that steps waited with nothing to compute
};

struct MemoryReport {
  int64_t plan_bytes = 0;  // sum of the classes
  int64_t budget_bytes = 0;
  bool fits = false;      // plan_bytes <= budget_bytes
  int max_context = 0;    // tokens of one sequence
  int max_batch = 0;      // sequences at once
  int prefill_chunk = 0;  // rows of the largest step
  ExpertStats experts;    // n_experts 0: a dense model
  std::vector<MemoryClass> classes;
  std::vector<std::string> fitting;      // what was made smaller to fit, in order: "sequences at once 8 -> 4"
  std::vector<std::string> suggestions;  // flags that would make a plan fit that does not
};

std::string format_bytes(int64_t n_bytes);             // "1.25 GiB"
std::string format_table(const MemoryReport& report);  // for a terminal, with a line for each class

}  // namespace paro
