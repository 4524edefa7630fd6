// paro serve: shows the plan, loads, and serves until it is told to stop.

#include <charconv>
#include <chrono>
#include <csignal>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "cli/api_key_file.h"
#include "cli/command.h"
#include "cli/common_options.h"
#include "cli/file_limit.h"
#include "cli/model_card.h"
#include "cli/model_files.h"
#include "cli/model_location.h"
#include "cli/model_settings_file.h"
#include "cli/output.h"
#include "cli/sampling_flags.h"
#include "cli/server_limits.h"
#include "cli/serving_options.h"
#include "cli/stop_signals.h"
#include "cli/text_model.h"
#include "engine/batch_engine.h"
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
    add_model(app, model_);
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
    check_model_directory(model_);
    const server::ModelSettings settings = read_model_settings(model_, settings_file_);
    EngineOptions options = common_.engine_options(model_);
    apply_to(options, settings);
    server_.socket_mode = parse_mode(socket_mode_);
    if (!server_.tls_certificate.empty()) server::load_certificate(server_.tls_certificate, server_.tls_key);
    server::check_address(server_);
    const TextModel text = TextModel::load(model_, template_file_);
    options = serving_options(options, text.serving_memory(), server_, limits_.max_queue());
    auto backend = common_.make_backend();
    show_plan(options, *backend, text);
    std::string card = card_of(text, settings);
    const auto engine = open_engine(options, std::move(backend), progress_bar("loading"));

    set_defaults(settings);
    server_.grace = std::chrono::seconds(grace_s_);
    server::Server server(server_, {.id = model_name_.empty() ? model_name(model_) : model_name_,
                                    .engine = *engine,
                                    .tokenizer = text.tokenizer,
                                    .chat_template = text.chat_template ? &*text.chat_template : nullptr,
                                    .bos_token = text.bos_token,
                                    .eos_token = text.eos_token,
                                    .card = std::move(card),
                                    .alias = settings.model_alias,
                                    .display_name = settings.display_name,
                                    .directory = model_name(model_),
                                    .template_source = template_shown(text)});
    signals.on_first([&server] { server.stop(); });
    if (!server_.tls_certificate.empty()) signals.on_hangup([&server] { server.reload_certificate(); });
    log::info("listening on {}", server.address());
    server.run();
    signals.on_first({});
    signals.on_hangup({});
    engine->stop(std::chrono::milliseconds(0));
    log::info("stopped");
    return 0;
  }

 private:
  // Keeps what the plan came to, so that loading comes to the same. A plan that does not fit is refused there.
  void show_plan(EngineOptions& options, Backend& backend, const TextModel& text) const {
    const ModelFiles files = ModelFiles::open(model_);
    const MemoryReport report = plan_memory(options, files.config, files.weights(), backend).report;
    if (!report.fits) throw plan_refusal(report);
    options.memory_budget_bytes = report.budget_bytes;
    print(fmt::format("{} as '{}', {}\nmemory plan\n{}", model_.string(),
                      model_name_.empty() ? model_name(model_) : model_name_, backend.name(), format_table(report)));
    if (!text.chat_template) log::warn("the model has no chat template: only plain completions are served");
  }

  static std::string template_shown(const TextModel& text) {
    return int64_t(text.template_source.size()) <= server::kMaxTemplateBytes ? text.template_source : std::string();
  }

  // Flags win over the model's settings; what neither tells is generation_config.json's.
  void set_defaults(const server::ModelSettings& settings) {
    server_.temperature = sampling_.temperature ? sampling_.temperature : settings.temperature;
    server_.top_p = sampling_.top_p ? sampling_.top_p : settings.top_p;
    server_.top_k = sampling_.top_k ? sampling_.top_k : settings.top_k;
    server_.seed = sampling_.seed;
    server_.min_p = settings.min_p;
    server_.repetition_penalty = settings.repetition_penalty;
    server_.presence_penalty = settings.presence_penalty;
    server_.frequency_penalty = settings.frequency_penalty;
    server_.max_tokens = settings.max_tokens;
  }

  // As `paro inspect --json` prints it.
  std::string card_of(const TextModel& text, const server::ModelSettings& settings) const {
    const boost::json::object facts = model_card(model_, ModelFiles::open(model_), &text);
    warn_of_unused(settings, std::string_view(facts.at("mtp head").as_string()));
    std::string card = to_text(facts);
    if (int64_t(card.size()) > server::kMaxCardBytes) {
      throw Error(ErrorKind::config, "'{}': its card has {} bytes, expected at most {}; are its stop tokens right?",
                  model_.string(), card.size(), server::kMaxCardBytes);
    }
    return card;
  }

  fs::path model_;
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
