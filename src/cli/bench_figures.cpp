#include "cli/bench_figures.h"

#include <algorithm>

namespace paro::cli {

double Samples::median() const {
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
}

double Samples::least() const { return *std::min_element(values_.begin(), values_.end()); }
double Samples::most() const { return *std::max_element(values_.begin(), values_.end()); }

const DecodeFigure* BenchFigures::decode_of(int batch) const {
  const auto found = std::find_if(decode.begin(), decode.end(), [&](const auto& f) { return f.batch == batch; });
  return found == decode.end() ? nullptr : &*found;
}

}  // namespace paro::cli
