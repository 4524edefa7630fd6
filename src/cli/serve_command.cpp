// paro serve: shows the plan, loads, and serves until it is told to stop.
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "cli/api_key_file.h"
#include "cli/command.h"
#include "cli/common_options.h"
#include "cli/model_card.h"
#include "cli/model_files.h"
#include "cli/output.h"
#include "cli/sampling_flags.h"
#include "cli/server_limits.h"
#include "cli/serving_options.h"
#include "cli/stop_signals.h"
#include "cli/text_model.h"
#include "engine/batch_engine.h"
#include "engine/memory_plan.h"
#include "server/cors.h"
#include "server/server.h"

namespace paro::cli {
namespace {

namespace fs = std::filesystem;

// "models/demo/" is served as "demo".
std::string name_of(const fs::path& model) {
  const fs::path path = fs::weakly_canonical(model);
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

// Binds the address for a moment: better to know before minutes of loading that it is taken.
void check_address(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0) {
    throw Error(ErrorKind::io, "cannot listen on {}:{}: {}; choose another --host", host, port, ::gai_strerror(error));
  }
  const int listener = ::socket(found->ai_family, found->ai_socktype, found->ai_protocol);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const int error = ::bind(listener, found->ai_addr, found->ai_addrlen) == 0 ? 0 : errno;
  ::freeaddrinfo(found);
  ::close(listener);
  if (error != 0) {
    throw Error(ErrorKind::io, "cannot listen on {}:{}: {}; choose another --port", host, port, std::strerror(error));
  }
}

class Serve final : public Command {
 public:
  void add_flags(CLI::App& app) override {
    add_model(app, model_);
    app.add_option("--host", server_.host, "Address to listen on")->capture_default_str();
    app.add_option("--port", server_.port, "Port to listen on; 0 takes a free one")
        ->check(CLI::Range(0, 65535))
        ->capture_default_str();
    app.add_option("--model-name", model_name_, "The model's id (default: the directory's name)");
    app.add_flag("--any-model", server_.any_model, "Serve requests for any other model's name too");
    app.add_option("--chat-template-file", template_file_, "Jinja template in place of the model's own")
        ->check(CLI::ExistingFile);
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
    sampling_.add_server_to(app);
    limits_.add_to(app);
    common_.add_to(app);
  }

  int run() override {
    StopSignals signals;
    std::signal(SIGPIPE, SIG_IGN);  // a client that left is an error of its connection
    for (const std::string& key : server_.api_keys)
      if (key.empty()) throw Error(ErrorKind::usage, "--api-key is empty; give a key, or leave the flag out");
    if (api_key_file_) {
      for (std::string& key : read_api_keys(*api_key_file_)) server_.api_keys.push_back(std::move(key));
    }
    server_.cors_origins = server::parse_origins(cors_origins_);
    limits_.apply_to(server_);
    check_model_directory(model_);
    EngineOptions options = common_.engine_options(model_);
    check_address(server_.host, server_.port);
    const TextModel text = TextModel::load(model_, template_file_);
    options = serving_options(options, text.memory(), server_, limits_.max_queue());
    auto backend = common_.make_backend();
    show_plan(options, *backend, text);
    std::string card = card_of(text);
    const auto engine = open_engine(options, std::move(backend), progress_bar("loading"));

    server_.temperature = sampling_.temperature;
    server_.top_p = sampling_.top_p;
    server_.top_k = sampling_.top_k;
    server_.seed = sampling_.seed;
    server_.grace = std::chrono::seconds(grace_s_);
    server::Server server(server_, {.id = model_name_.empty() ? name_of(model_) : model_name_,
                                    .engine = *engine,
                                    .tokenizer = text.tokenizer,
                                    .chat_template = text.chat_template ? &*text.chat_template : nullptr,
                                    .bos_token = text.bos_token,
                                    .eos_token = text.eos_token,
                                    .card = std::move(card),
                                    .directory = name_of(model_),
                                    .template_source = template_shown(text)});
    signals.on_first([&server] { server.stop(); });
    const bool is_v6 = server_.host.find(':') != std::string::npos;
    log::info("listening on http://{}{}{}:{}", is_v6 ? "[" : "", server_.host, is_v6 ? "]" : "", server.port());
    server.run();
    signals.on_first({});
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
                      model_name_.empty() ? name_of(model_) : model_name_, backend.name(), format_table(report)));
    if (!text.chat_template) log::warn("the model has no chat template: only plain completions are served");
  }

  static std::string template_shown(const TextModel& text) {
    return int64_t(text.template_source.size()) <= server::kMaxTemplateBytes ? text.template_source : std::string();
  }

  // As `paro inspect --json` prints it.
  std::string card_of(const TextModel& text) const {
    std::string card = to_text(model_card(model_, ModelFiles::open(model_), &text));
    if (int64_t(card.size()) > server::kMaxCardBytes) {
      throw Error(ErrorKind::config, "'{}': its card has {} bytes, expected at most {}; are its stop tokens right?",
                  model_.string(), card.size(), server::kMaxCardBytes);
    }
    return card;
  }

  fs::path model_;
  std::string model_name_;
  std::optional<fs::path> api_key_file_, template_file_;
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
