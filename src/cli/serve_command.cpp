// paro serve: shows the plan, loads, and serves until it is told to stop; or several models, loaded as they are asked
// for.

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "cli/api_key_file.h"
#include "cli/command.h"
#include "cli/common_options.h"
#include "cli/file_limit.h"
#include "cli/model_files.h"
#include "cli/model_location.h"
#include "cli/model_opener.h"
#include "cli/output.h"
#include "cli/sampling_flags.h"
#include "cli/server_limits.h"
#include "cli/stop_signals.h"
#include "engine/memory_plan.h"
#include "server/cors.h"
#include "server/listener.h"
#include "server/server.h"
#include "server/tls.h"

namespace paro::cli {
namespace {

namespace fs = std::filesystem;

unsigned parse_mode(const std::string& text) {
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc() || end != text.data() + text.size() || mode == 0 || mode > 0777) {
    throw Error(ErrorKind::usage, "--socket-mode is '{}', expected octal digits such as 0660", text);
  }
  return mode;
}

class Serve final : public Command {
 public:
  void add_flags(CLI::App& app) override {
    add_model(app, model_)->required(false);
    app.add_option(
        "--models-dir", models_directory_,
        "Directory of models, each served under its name and loaded when it is asked for; in place of MODEL");
    app.add_option("--host", server_.host, "Address to listen on, or unix:PATH for a Unix socket")
        ->capture_default_str();
    app.add_option("--port", server_.port, "Port to listen on; 0 takes a free one")
        ->check(CLI::Range(0, 65535))
        ->capture_default_str();
    app.add_option("--socket-mode", socket_mode_, "Mode of the Unix socket: who may connect, in octal digits")
        ->capture_default_str();
    CLI::Option* certificate =
        app.add_option("--tls-cert", server_.tls_certificate,
                       "File of the certificate and its chain in PEM, for HTTPS; SIGHUP reads it "
                       "again");
    CLI::Option* key = app.add_option("--tls-key", server_.tls_key, "File of the certificate's private key in PEM");
    certificate->needs(key);
    key->needs(certificate);
    app.add_option("--model-name", model_name_, "The model's id (default: the directory's name)");
    app.add_flag("--any-model", server_.any_model, "Serve requests for any other model's name too");
    app.add_option("--chat-template-file", template_file_, "Jinja template in place of the model's own")
        ->check(CLI::ExistingFile);
    app.add_option("--model-settings", settings_file_,
                   "File of the model's settings (default: model_settings.json in its directory)");
    app.add_option("--api-key", server_.api_keys, "Key that clients must send; may be given several times")
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--api-key-file", api_key_file_, "File of further keys, one a line; # begins a comment line");
    app.add_option(
           "--cors-origin", cors_origins_,
           "Origin whose pages may use the server from a browser: scheme://host[:port], * for any, or none; may "
           "be given several times")
        ->take_all()
        ->allow_extra_args(false)
        ->capture_default_str();
    app.add_option("--grace", grace_s_, "Seconds that answers get to finish when the server stops")
        ->check(CLI::Range(0, 86400))
        ->capture_default_str();
    app.add_option("--thinking-budget", server_.thinking_budget,
                   "Tokens after which a thought is ended (default: none)")
        ->check(CLI::NonNegativeNumber);
    sampling_.add_server_to(app);
    limits_.add_to(app);
    common_.add_to(app);
  }

  int run() override {
    StopSignals signals;
    std::signal(SIGPIPE, SIG_IGN);  // a client that left is an error of its connection
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of its write
    for (const std::string& key : server_.api_keys)
      if (key.empty()) throw Error(ErrorKind::usage, "--api-key is empty; give a key, or leave the flag out");
    if (api_key_file_) {
      for (std::string& key : read_api_keys(*api_key_file_)) server_.api_keys.push_back(std::move(key));
    }
    server_.cors_origins = server::parse_origins(cors_origins_);
    limits_.apply_to(server_);
    allow_connections(server_.max_connections);
    const bool several = serves_several();
    if (!several) check_model_directory(model_);
    server_.socket_mode = parse_mode(socket_mode_);
    server_.grace = std::chrono::seconds(grace_s_);
    if (!server_.tls_certificate.empty()) server::load_certificate(server_.tls_certificate, server_.tls_key);
    server::check_address(server_);
    const ServedFlags flags{common_, sampling_, server_, limits_.max_queue(), settings_file_, template_file_};
    several ? serve_several(flags, signals) : serve_one(flags, signals);
    log::info("stopped");
    return 0;
  }

 private:
  // A variable that names where models lie is no reason not to serve the one that is given.
  bool serves_several() const {
    const char* variable = std::getenv("PARO_MODELS_DIR");
    if (model_.empty() && models_directory_.empty()) {
      throw Error(ErrorKind::usage, "no model is given, expected MODEL or --models-dir");
    }
    if (model_.empty()) return true;
    if (models_directory_.empty() || (variable != nullptr && models_directory_ == variable)) return false;
    throw Error(ErrorKind::usage, "both MODEL and --models-dir are given, expected one of them");
  }

  void serve_one(const ServedFlags& flags, StopSignals& signals) const {
    const ModelOpener opener(model_, model_name_.empty() ? model_name(model_) : model_name_, flags);
    const server::LoadedModel loaded = opener.load({}, /*shows_plan=*/true, progress_bar("loading"));
    server::Server server(loaded.options, loaded.model);
    run(server, signals);
    loaded.model.engine.stop(std::chrono::milliseconds(0));
  }

  void serve_several(const ServedFlags& flags, StopSignals& signals) const {
    const auto refuse = [](const char* flag, bool is_given) {
      if (is_given) throw Error(ErrorKind::usage, "{} is of one model, and --models-dir serves several", flag);
    };
    refuse("--model-name", !model_name_.empty());
    refuse("--model-settings", settings_file_.has_value());
    refuse("--chat-template-file", template_file_.has_value());
    const std::vector<FoundModel> found = models_in(models_directory_);
    const int64_t budget_bytes = memory_budget(common_.engine_options(found.front().directory));
    const int64_t room_bytes = budget_bytes - server::planned_bytes(server_);
    std::vector<server::ServableModel> models;
    std::string table;
    for (const FoundModel& each : found) {
      models.push_back(ModelOpener::servable(each.directory, each.id, flags, budget_bytes));
      if (models.back().refusal) continue;
      fmt::format_to(std::back_inserter(table), "  {:<40} {:>10}  context {}\n", each.id,
                     format_bytes(models.back().plan_bytes), models.back().max_context);
    }
    print(fmt::format("models of {}\n{}  {} for those that are loaded, {} for the server\n", models_directory_.string(),
                      table, format_bytes(room_bytes), format_bytes(server::planned_bytes(server_))));
    server::Server server(server_, std::move(models), room_bytes, limits_.max_queue());
    run(server, signals);
  }

  void run(server::Server& server, StopSignals& signals) const {
    signals.on_first([&server] { server.stop(); });
    if (!server_.tls_certificate.empty()) signals.on_hangup([&server] { server.reload_certificate(); });
    log::info("listening on {}", server.address());
    server.run();
    signals.on_first({});
    signals.on_hangup({});
  }

  fs::path model_, models_directory_;
  std::string model_name_;
  std::optional<fs::path> api_key_file_, settings_file_, template_file_;
  std::string socket_mode_ = "0660";
  server::ServerOptions server_;
  int grace_s_ = static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(server_.grace).count());
  std::vector<std::string> cors_origins_ = server_.cors_origins;
  SamplingFlags sampling_;
  ServerLimits limits_;
  CommonOptions common_;
};

}  // namespace

std::unique_ptr<Command> make_serve() { return std::make_unique<Serve>(); }

}  // namespace paro::cli
