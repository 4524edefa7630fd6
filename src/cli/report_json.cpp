#include "cli/report_json.h"

#include <boost/json/array.hpp>

namespace paro::cli {

namespace json = boost::json;

json::object to_json(const MemoryReport& report) {
  json::array classes;
  for (const MemoryClass& c : report.classes) {
    classes.push_back({{"name", c.name}, {"plan_bytes", c.plan_bytes}, {"actual_bytes", c.actual_bytes}});
  }
  json::object out = {
      {"plan_bytes", report.plan_bytes},   {"budget_bytes", report.budget_bytes}, {"fits", report.fits},
      {"max_context", report.max_context}, {"max_batch", report.max_batch},       {"classes", std::move(classes)}};
  if (report.experts.n_experts > 0) {
    out["experts"] = {{"total", report.experts.n_experts}, {"slots", report.experts.n_slots}};
  }
  if (!report.fitting.empty()) out["fitting"] = json::array(report.fitting.begin(), report.fitting.end());
  if (!report.suggestions.empty())
    out["suggestions"] = json::array(report.suggestions.begin(), report.suggestions.end());
  return out;
}

}  // namespace paro::cli
