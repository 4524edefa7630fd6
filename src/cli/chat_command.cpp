// paro chat: a conversation in the terminal. Ctrl-C ends an answer, not the program. Input from a pipe is read line by
// line, each one a message.
#include <atomic>
#include <boost/json/array.hpp>
#include <csignal>

#include "base/error.h"
#include "cli/answer.h"
#include "cli/command.h"
#include "cli/common_options.h"
#include "cli/line_editor.h"
#include "cli/model_files.h"
#include "cli/output.h"
#include "cli/sampling_flags.h"
#include "cli/text_model.h"
#include "engine/batch_engine.h"

namespace paro::cli {
namespace {

namespace json = boost::json;

std::atomic<bool> interrupted{false};  // set by the signal handler
static_assert(std::atomic<bool>::is_always_lock_free);

// Ctrl-C sets `interrupted` as long as this lives.
class InterruptGuard {
 public:
  InterruptGuard() {
    interrupted = false;
    previous_ = std::signal(SIGINT, [](int) { interrupted = true; });
  }
  ~InterruptGuard() { std::signal(SIGINT, previous_); }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  void (*previous_)(int) = nullptr;
};

constexpr const char* kHelp =
    "/clear  forget the conversation\n"
    "/quit   leave, as Ctrl-D does\n"
    "/help   show this\n"
    "Ctrl-C  end the answer\n";

class Chat final : public Command {
 public:
  void add_flags(CLI::App& app) override {
    add_model(app, model_);
    app.add_option("--system", system_, "What the model is told before the conversation");
    app.add_option("--max-tokens", max_tokens_, "Tokens of an answer (default: what the context leaves)")
        ->check(CLI::PositiveNumber);
    app.add_flag("--think", think_, "Let a model think that can");
    sampling_.add_to(app);
    common_.add_to(app);
  }

  int run() override {
    check_model_directory(model_);
    EngineOptions options = common_.engine_options(model_);
    const TextModel text = TextModel::load(model_);
    if (!text.chat_template) {
      throw Error(ErrorKind::chat_template, "'{}' has no chat template; use paro generate --raw", model_.string());
    }
    options.other_memory = text.memory();
    if (options.max_batch == 0) options.max_batch = 1;
    const auto engine = open_engine(options, common_.make_backend(), progress_bar("loading"));

    LineEditor editor("> ");
    if (editor.is_terminal()) {
      print(dim(fmt::format("{} on {}, {} tokens of context; /help for help\n", engine->info().architecture,
                            engine->info().backend, engine->info().max_context)));
    }
    clear();
    while (const auto line = editor.read()) {
      if (line->find_first_not_of(" \t") == std::string::npos) continue;
      if (*line == "/quit" || *line == "/exit") break;
      if (*line == "/clear") {
        clear();
      } else if (*line == "/help" || line->front() == '/') {
        print(kHelp);
      } else {
        answer(*engine, text, *line);
      }
    }
    if (editor.is_terminal()) print("\n");
    return 0;
  }

 private:
  void clear() {
    messages_.clear();
    if (!system_.empty()) messages_.push_back({{"role", "system"}, {"content", system_}});
  }

  // A message that cannot be answered is told of and forgotten; the conversation goes on.
  void answer(Engine& engine, const TextModel& text, const std::string& line) {
    const InterruptGuard guard;
    messages_.push_back({{"role", "user"}, {"content", line}});
    try {
      GenerationRequest request;
      request.prompt = text.encode_chat(messages_, think_);
      request.max_tokens = answer_tokens(engine.info(), request.prompt.size(), max_tokens_);
      request.sampling = sampling_.over(engine.info().default_sampling);
      request.stop_tokens = engine.info().stop_tokens;
      const text::ChatFormat& format = text.chat_format();
      const auto parser = format.make_parser(
          text.tokenizer,
          {.in_thought = format.thought_at_end(text.tokenizer, request.prompt) == text::ThoughtState::open});
      AnswerPrinter printer;
      const Answer answer = stream_answer(
          engine, std::move(request), *parser, [&](const text::ChatDelta& delta) { printer.show(delta); }, interrupted);
      print("\n");
      if (output_is_terminal()) {
        print(dim(fmt::format("{} tokens, {:.1f} tokens/s; prompt {} tokens, {:.1f} tokens/s{}\n",
                              answer.end.n_generated_tokens, answer.decode_tokens_per_s(), answer.end.n_prompt_tokens,
                              answer.prefill_tokens_per_s(), interrupted ? "; stopped" : "")));
      }
      messages_.push_back({{"role", "assistant"}, {"content", answer.content}});
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::internal || error.kind() == ErrorKind::io) throw;
      messages_.pop_back();
      fmt::print(stderr, "paro: {}\n", error.message());
      if (error.kind() == ErrorKind::context_length) fmt::print(stderr, "paro: /clear starts anew\n");
    }
  }

  std::filesystem::path model_;
  std::string system_;
  int max_tokens_ = 0;
  bool think_ = false;
  json::array messages_;
  SamplingFlags sampling_;
  CommonOptions common_;
};

}  // namespace

std::unique_ptr<Command> make_chat() { return std::make_unique<Chat>(); }

}  // namespace paro::cli
