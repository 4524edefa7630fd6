// paro plan: the memory plan that `serve` has with the same flags, from safetensors headers where there are any, else
// from config.json alone.
#include <optional>

#include "cli/command.h"
#include "cli/common_options.h"
#include "cli/model_files.h"
#include "cli/output.h"
#include "cli/report_json.h"
#include "cli/text_model.h"
#include "engine/memory_plan.h"
#include "server/service.h"

namespace paro::cli {
namespace {

class Plan final : public Command {
 public:
  void add_flags(CLI::App& app) override {
    app.add_option("MODEL", model_, "Directory in Hugging Face layout, or a config.json alone")->required();
    app.add_flag("--json", json_, "Print the plan as JSON");
    common_.add_to(app);
  }

  int run() override {
    const ModelFiles files = ModelFiles::open(model_);
    EngineOptions options = common_.engine_options(model_);
    options.max_queue = EngineOptions().max_queue;
    options.other_memory = text_memory(model_);
    options.other_memory.push_back({"server buffers", server::planned_bytes({}), 0});
    const auto backend = common_.make_backend();
    const MemoryReport report = plan_memory(options, files.config, files.weights(), *backend).report;
    if (json_) {
      print_json(to_json(report));
    } else {
      print(fmt::format("memory plan of {}, {}{}\n{}", model_.string(), backend->name(),
                        files.tensors ? "" : " (from config.json alone)", format_table(report)));
    }
    return report.fits ? 0 : 1;
  }

 private:
  std::filesystem::path model_;
  bool json_ = false;
  CommonOptions common_;
};

}  // namespace

std::unique_ptr<Command> make_plan() { return std::make_unique<Plan>(); }

}  // namespace paro::cli
