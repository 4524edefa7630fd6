// paro: the table of commands, and what becomes of errors. Exit codes: 0 done, 1 failed, 2 misused.
#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/config_file.h"
#include "cli/environment.h"

namespace paro::cli {
namespace {

struct CommandRow {
  const char* name;
  const char* summary;
  std::unique_ptr<Command> (*make)();
};

constexpr CommandRow kCommands[] = {
    {"serve", "Serve a model over HTTP, as OpenAI's clients expect it", make_serve},
    {"chat", "Talk to a model in the terminal", make_chat},
    {"generate", "Answer one prompt", make_generate},
    {"inspect", "Show what a model is: layers, formats, sizes, template", make_inspect},
    {"plan", "Show the memory plan; nothing is loaded", make_plan},
    {"bench", "Measure loading, prefill and decoding in physical units", make_bench},
    {"logits", "Write the logits of given token ids, to compare with other programs", make_logits},
    {"pull", "Download a model from a hub", make_pull},
    {"synth", "Write a checkpoint of random weights from a config.json", make_synth},
};

constexpr int kFailed = 1, kMisused = 2;

void tell_failure(std::string_view message) {
  if (log::is_text()) {
    fmt::print(stderr, "paro: {}\n", message);
  } else {
    log::error("{}", message);
  }
}

int run(int argc, char** argv) {
  CLI::App app(
      "Runs ParoQuant INT4 language models. Every flag may also be given as PARO_<FLAG> in the environment, "
      "or in a file that --config names.",
      "paro");
  app.set_version_flag("--version", PARO_VERSION);
  app.require_subcommand(1);
  std::vector<std::pair<CLI::App*, std::unique_ptr<Command>>> commands;
  for (const CommandRow& row : kCommands) {
    CLI::App* sub = app.add_subcommand(row.name, row.summary);
    commands.emplace_back(sub, row.make());
    commands.back().second->add_flags(*sub);
    read_config_file(*sub);
    read_environment(*sub);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "paro: {}\nRun 'paro --help' or 'paro COMMAND --help' for what is expected.\n", error.what());
    return kMisused;
  }
  for (const auto& [sub, command] : commands) {
    if (sub->parsed()) return command->run();
  }
  return kMisused;
}

}  // namespace
}  // namespace paro::cli

int main(int argc, char** argv) {
#if defined(__GLIBC__)
  // What is large comes from the system and goes back to it; else glibc keeps up to 64 MiB of what was freed.
  ::mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
  using namespace paro;
  try {
    return cli::run(argc, argv);
  } catch (const Error& error) {
    cli::tell_failure(error.message());
    return error.kind() == ErrorKind::usage ? cli::kMisused : cli::kFailed;
  } catch (const std::exception& error) {
    cli::tell_failure(error.what());
    return cli::kFailed;
  }
}
