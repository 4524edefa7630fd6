// The memory report in the shape that `paro plan --json` and GET /v1/memory share.
#pragma once

#include <boost/json/object.hpp>

#include "engine/memory_report.h"

namespace paro::cli {

boost::json::object to_json(const MemoryReport& report);

}  // namespace paro::cli
