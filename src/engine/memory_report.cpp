#include "engine/memory_report.h"

#include <fmt/format.h>

#include <cmath>

namespace paro {

std::string format_bytes(int64_t n_bytes) {
  const double n = double(n_bytes);
  if (std::abs(n) >= 0x1p30) return fmt::format("{:.2f} GiB", n / 0x1p30);
  if (std::abs(n) >= 0x1p20) return fmt::format("{:.1f} MiB", n / 0x1p20);
  return fmt::format("{:.1f} KiB", n / 0x1p10);
}

std::string format_table(const MemoryReport& report) {
  std::string text;
  for (const MemoryClass& c : report.classes)
    text += fmt::format("  {:<24}{:>12}\n", c.name, format_bytes(c.plan_bytes));
  text += fmt::format("  {:<24}{:>12}\n", "total", format_bytes(report.plan_bytes));
  text += fmt::format("  {:<24}{:>12}  {}\n", "budget", format_bytes(report.budget_bytes),
                      report.fits ? "fits" : "does not fit");
  text += fmt::format("  context {} tokens, {} sequences at once, steps of {} rows\n", report.max_context,
                      report.max_batch, report.prefill_chunk);
  if (const ExpertStats& e = report.experts; e.n_slots < e.n_experts) {
    text += fmt::format("  {} of {} experts in memory, the others stream from disk\n", e.n_slots, e.n_experts);
  }
  for (const std::string& change : report.fitting) text += fmt::format("  fitted: {}\n", change);
  for (const std::string& suggestion : report.suggestions) text += fmt::format("  would fit: {}\n", suggestion);
  return text;
}

}  // namespace paro
