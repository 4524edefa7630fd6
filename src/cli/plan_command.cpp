// paro plan: the memory plan that `serve` has with the same flags, from safetensors headers where there are any, else
// from config.json alone.
#include "cli/command.h"
#include "cli/common_options.h"
#include "cli/model_files.h"
#include "cli/model_settings_file.h"
#include "cli/output.h"
#include "cli/report_json.h"
#include "cli/server_limits.h"
#include "cli/serving_options.h"
#include "cli/text_model.h"
#include "engine/memory_plan.h"

namespace paro::cli {
namespace {

class Plan final : public Command {
 public:
  void add_flags(CLI::App& app) override {
    add_model(app, model_, "Directory in Hugging Face layout, a config.json alone");
    app.add_flag("--json", json_, "Print the plan as JSON");
    limits_.add_to(app);
    common_.add_to(app);
  }

  int run() override {
    const ModelFiles files = ModelFiles::open(model_);
    EngineOptions options = common_.engine_options(model_);
    apply_to(options, read_model_settings(model_, {}));
    server::ServerOptions server;
    limits_.apply_to(server);
    options = serving_options(options, text_memory(model_), server, limits_.max_queue());
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
  ServerLimits limits_;
  CommonOptions common_;
};

}  // namespace

std::unique_ptr<Command> make_plan() { return std::make_unique<Plan>(); }

}  // namespace paro::cli
