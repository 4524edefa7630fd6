// paro inspect: the card of facts about a model, read from its files; nothing is loaded.
#include <optional>

#include "cli/command.h"
#include "cli/common_options.h"
#include "cli/model_card.h"
#include "cli/model_card_text.h"
#include "cli/output.h"

namespace paro::cli {
namespace {

namespace fs = std::filesystem;

class Inspect final : public Command {
 public:
  void add_flags(CLI::App& app) override {
    add_model(app, model_, "Directory in Hugging Face layout, a config.json alone");
    app.add_flag("--json", json_, "Print the facts as JSON");
  }

  int run() override {
    const ModelFiles files = ModelFiles::open(model_);
    std::optional<TextModel> text;
    if (fs::exists(model_ / "tokenizer.json")) text.emplace(TextModel::load(model_));
    const auto card = model_card(model_, files, text ? &*text : nullptr);
    if (json_) {
      print_json(card);
    } else {
      print(card_text(card));
    }
    return 0;
  }

 private:
  fs::path model_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_inspect() { return std::make_unique<Inspect>(); }

}  // namespace paro::cli
