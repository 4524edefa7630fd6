// The routes that tell about the server: /models and the card of the one, /health, /memory.
#include <fmt/chrono.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <utility>

#include "server/api_error.h"
#include "server/connection.h"
#include "server/peak_memory.h"
#include "server/routes.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

json::object model_object(const Service& service) {
  const ModelInfo& info = service.model.engine.info();
  json::object meta;
  meta["n_ctx"] = info.max_context;
  meta["n_vocab"] = info.vocab_size;
  json::object model;
  model["id"] = service.model.id;
  model["object"] = "model";
  model["created"] = service.started_at;
  model["owned_by"] = "paro";
  model["max_model_len"] = info.max_context;
  model["meta"] = std::move(meta);
  return model;
}

// As Anthropic's clients read it.
json::object anthropic_model(const Service& service) {
  const ModelInfo& info = service.model.engine.info();
  json::object model;
  model["type"] = "model";
  model["id"] = service.model.id;
  model["display_name"] = service.model.display_name.empty() ? service.model.id : service.model.display_name;
  model["created_at"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(service.started_at)));
  model["lifecycle"] = "active";
  model["max_input_tokens"] = info.max_context;
  model["max_tokens"] = info.max_context;
  return model;
}

json::object anthropic_models(const Service& service) {
  json::array models;
  models.emplace_back(anthropic_model(service));
  json::object list;
  list["data"] = std::move(models);
  list["has_more"] = false;
  list["first_id"] = service.model.id;
  list["last_id"] = service.model.id;
  return list;
}

}  // namespace

asio::awaitable<void> handle_models(Connection& connection, const Service& service) {
  if (names_anthropic_version(connection.request())) {
    json::object list = anthropic_models(service);
    co_await connection.respond(200, std::move(list));
    co_return;
  }
  json::object response;
  response["object"] = "list";
  json::array models;
  models.emplace_back(model_object(service));
  response["data"] = std::move(models);
  co_await connection.respond(200, std::move(response));
}

asio::awaitable<void> handle_model(Connection& connection, const Service& service) {
  constexpr std::string_view kCard = "/card";
  const std::string path = route_path(std::string_view(connection.request().target()));
  const std::string& id = service.model.id;
  std::string_view name = std::string_view(path).substr(std::string_view("/models/").size());
  const bool wants_card = !service.serves(name) && name.ends_with(kCard);  // an id may end so itself
  if (wants_card) name.remove_suffix(kCard.size());
  if (!service.serves(name)) {
    ApiError error(404, "invalid_request_error", "model_not_found",
                   fmt::format("request: the model '{}' is not served here; '{}' is", name, id));
    error.param = "model";
    throw error;
  }
  if (wants_card) {
    co_await connection.respond_text(200, service.model.card);
    co_return;
  }
  // Not within co_await: GCC 12 destroys the choice between two temporaries twice there.
  json::object model = names_anthropic_version(connection.request()) ? anthropic_model(service) : model_object(service);
  co_await connection.respond(200, std::move(model));
}

asio::awaitable<void> handle_health(Connection& connection, const Service&) {
  json::object response;
  response["status"] = "ok";
  co_await connection.respond(200, std::move(response));
}

asio::awaitable<void> handle_memory(Connection& connection, const Service& service) {
  const MemoryReport report = service.model.engine.memory();
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
  response["peak_resident_bytes"] = peak_resident_bytes();
  co_await connection.respond(200, std::move(response));
}

}  // namespace paro::server
