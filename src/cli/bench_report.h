// The figures of `paro bench` for people and for scripts.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "cli/bench_figures.h"

namespace paro::cli {

std::string to_table(const BenchFigures& figures);
boost::json::object to_json(const BenchFigures& figures);  // with all samples

}  // namespace paro::cli
