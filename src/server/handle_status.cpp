// The routes that tell about the server: /models, each one and its card, /health, /memory.
#include <fmt/chrono.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <utility>

#include "server/api_error.h"
#include "server/connection.h"
#include "server/model_totals.h"
#include "server/peak_memory.h"
#include "server/routes.h"
#include "server/server_state.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

using State = ModelLibrary::State;

std::string_view name_of(State state) {
  switch (state) {
    case State::unloaded:
      return "unloaded";
    case State::loading:
      return "loading";
    case State::loaded:
      return "loaded";
  }
  return {};
}

// The state as llama.cpp's router tells it.
json::object model_object(const ModelLibrary::Status& status, int64_t started_at) {
  json::object meta;
  meta["n_ctx"] = status.model.max_context;
  meta["n_vocab"] = status.model.vocab_size;
  json::object model;
  model["id"] = status.model.id;
  model["object"] = "model";
  model["created"] = started_at;
  model["owned_by"] = "paro";
  model["max_model_len"] = status.model.max_context;
  model["meta"] = std::move(meta);
  model["status"] = {{"value", name_of(status.state)}};
  return model;
}

// As Anthropic's clients read it.
json::object anthropic_model(const ModelLibrary::Status& status, int64_t started_at) {
  json::object model;
  model["type"] = "model";
  model["id"] = status.model.id;
  model["display_name"] = status.model.display_name.empty() ? status.model.id : status.model.display_name;
  model["created_at"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(started_at)));
  model["lifecycle"] = "active";
  model["max_input_tokens"] = status.model.max_context;
  model["max_tokens"] = status.model.max_context;
  return model;
}

json::array model_list(const ModelLibrary& library, auto&& object_of) {
  json::array models;
  for (const ModelLibrary::Status& status : library.models())
    models.emplace_back(object_of(status, library.started_at()));
  return models;
}

json::object anthropic_models(const ModelLibrary& library) {
  json::object list;
  list["data"] = model_list(library, anthropic_model);
  list["has_more"] = false;
  list["first_id"] = library.models().front().model.id;
  list["last_id"] = library.models().back().model.id;
  return list;
}

}  // namespace

asio::awaitable<void> handle_models(Connection& connection) {
  const ModelLibrary& library = connection.server().library;
  if (names_anthropic_version(connection.request())) {
    json::object list = anthropic_models(library);
    co_await connection.respond(200, std::move(list));
    co_return;
  }
  json::object response;
  response["object"] = "list";
  response["data"] = model_list(library, model_object);
  co_await connection.respond(200, std::move(response));
}

asio::awaitable<void> handle_model(Connection& connection) {
  constexpr std::string_view kCard = "/card";
  const ModelLibrary& library = connection.server().library;
  const std::string path = route_path(std::string_view(connection.request().target()));
  std::string_view name = std::string_view(path).substr(std::string_view("/models/").size());
  const bool wants_card = !library.has(name) && name.ends_with(kCard);  // an id may end so itself
  if (wants_card) name.remove_suffix(kCard.size());
  const ModelLibrary::Status status = library.model(name);
  if (wants_card) {
    co_await connection.respond_text(200, status.model.card);
    co_return;
  }
  // Not within co_await: GCC 12 destroys the choice between two temporaries twice there.
  json::object model = names_anthropic_version(connection.request()) ? anthropic_model(status, library.started_at())
                                                                     : model_object(status, library.started_at());
  co_await connection.respond(200, std::move(model));
}

asio::awaitable<void> handle_health(Connection& connection) {
  json::object response;
  response["status"] = "ok";
  co_await connection.respond(200, std::move(response));
}

asio::awaitable<void> handle_memory(Connection& connection) {
  ServerState& server = connection.server();
  const MemoryReport report = total_memory(server, server.library.loaded());
  json::array classes;
  for (const MemoryClass& each : report.classes) {
    json::object entry;
    entry["name"] = each.name;
    entry["plan_bytes"] = each.plan_bytes;
    entry["actual_bytes"] = each.actual_bytes;
    classes.emplace_back(std::move(entry));
  }
  json::object response;
  response["plan_bytes"] = report.plan_bytes;
  response["budget_bytes"] = report.budget_bytes;
  response["fits"] = report.fits;
  response["max_context"] = report.max_context;
  response["max_batch"] = report.max_batch;
  response["classes"] = std::move(classes);
  if (const ExpertStats& experts = report.experts; experts.n_experts > 0) {
    response["experts"] = {{"total", experts.n_experts},
                           {"slots", experts.n_slots},
                           {"requested", experts.n_requested},
                           {"hits", experts.n_hits},
                           {"fetched", experts.n_fetched},
                           {"guessed", experts.n_guessed},
                           {"guessed_right", experts.n_guessed_right},
                           {"read_bytes", experts.n_read_bytes},
                           {"wait_seconds", experts.wait_seconds}};
  }
  json::array models;
  for (const ModelLibrary::Status& status : server.library.models()) {
    json::object entry;
    entry["id"] = status.model.id;
    entry["status"] = name_of(status.state);
    entry["plan_bytes"] = status.model.plan_bytes;
    entry["max_context"] = status.model.max_context;
    entry["max_batch"] = status.model.max_batch;
    models.emplace_back(std::move(entry));
  }
  response["models"] = std::move(models);
  response["peak_resident_bytes"] = peak_resident_bytes();
  co_await connection.respond(200, std::move(response));
}

}  // namespace paro::server
