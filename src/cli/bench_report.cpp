#include "cli/bench_report.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>

namespace paro::cli {

namespace json = boost::json;

namespace {

// "  615.00 tokens/s (464.00 to 661.00)"
std::string text(const Samples& samples, const char* unit, double divisor = 1) {
  return fmt::format("{:10.2f} {} ({:.2f} to {:.2f})", samples.median() / divisor, unit, samples.least() / divisor,
                     samples.most() / divisor);
}

json::object json_of(const Samples& samples) {
  return {{"median", samples.median()},
          {"min", samples.least()},
          {"max", samples.most()},
          {"samples", json::array(samples.values().begin(), samples.values().end())}};
}

std::string line(const std::string& what, const std::string& figures) {
  return fmt::format("{:<18} {}\n", what, figures);
}

// " 25 % of experts at hand, 61.3 MB read a step, 40 % of the time waited"
std::string text(const StreamFigure& s) {
  return fmt::format(
      "{:.0f} % of experts at hand, {:.1f} MB missed and {:.1f} MB read a step, {:.0f} % of the time waited",
      100 * s.hit_share.median(), s.missed_mb.median(), s.read_mb.median(), 100 * s.wait_share.median());
}

json::object json_of(const StreamFigure& s) {
  return {{"hit_share", s.hit_share.median()},
          {"missed_bytes_per_step", 1e6 * s.missed_mb.median()},
          {"read_bytes_per_step", 1e6 * s.read_mb.median()},
          {"wait_share", s.wait_share.median()}};
}

std::string decode_lines(const BenchFigures& f) {
  std::string out;
  for (const DecodeFigure& d : f.decode) {
    out += line(fmt::format("decode x{}", d.batch),
                fmt::format("{}, {:.1f} MB a token, {:.2f} GB/s, {:.0f} % of memory", text(d.tokens_per_s, "tokens/s"),
                            d.step.total() / d.batch / 1e6, d.bytes_per_s() / 1e9,
                            100 * d.bytes_per_s() / f.memory_bytes_per_s.median()));
    if (!d.stream.hit_share.empty()) out += line("", text(d.stream));
  }
  for (const DepthFigure& d : f.at_depth) {
    out += line(fmt::format("decode x{} @{}", d.batch, f.depth),
                fmt::format("{}, {:.2f} ms a step more for {:.1f} MB more of cache", text(d.tokens_per_s, "tokens/s"),
                            1e3 * d.extra_seconds.median(), d.extra_cache_bytes / 1e6));
    // Noise may hide a small cache altogether.
    if (d.bytes_per_s() > 0) {
      out.insert(out.size() - 1, fmt::format(", {:.2f} GB/s, {:.0f} % of memory", d.bytes_per_s() / 1e9,
                                             100 * d.bytes_per_s() / f.memory_bytes_per_s.median()));
    }
  }
  return out;
}

std::string peer_line(const PeerFigure& peer, const BenchFigures& f) {
  std::string out;
  const auto add = [&](const std::string& what, const Samples& theirs, const Samples* ours) {
    if (!out.empty()) out += "; ";
    out += fmt::format("{} {}", what, text(theirs, "tokens/s"));
    if (ours != nullptr) out += fmt::format(", paro is {:.2f} times as fast", ours->median() / theirs.median());
  };
  if (!peer.prefill_tokens_per_s.empty()) add("prefill", peer.prefill_tokens_per_s, &f.prefill_tokens_per_s);
  for (const PeerDecodeFigure& d : peer.decode) {
    const DecodeFigure* ours = f.decode_of(d.batch);
    add(fmt::format("decode x{}", d.batch), d.tokens_per_s, ours == nullptr ? nullptr : &ours->tokens_per_s);
  }
  return line(peer.name, out);
}

json::array decode_json(const BenchFigures& f) {
  json::array out;
  for (const DecodeFigure& d : f.decode) {
    out.push_back({{"batch", d.batch},
                   {"tokens", f.n_decode_tokens},
                   {"tokens_per_s", json_of(d.tokens_per_s)},
                   {"bytes_per_step", d.step.total()},
                   {"bytes_per_token", d.step.total() / d.batch},
                   {"bytes_per_s", d.bytes_per_s()},
                   {"part_of_memory", d.bytes_per_s() / f.memory_bytes_per_s.median()}});
    if (!d.stream.hit_share.empty()) out.back().get_object()["experts"] = json_of(d.stream);
  }
  return out;
}

json::array depth_json(const BenchFigures& f) {
  json::array out;
  for (const DepthFigure& d : f.at_depth) {
    out.push_back({{"batch", d.batch},
                   {"depth", f.depth},
                   {"tokens_per_s", json_of(d.tokens_per_s)},
                   {"extra_seconds_per_step", json_of(d.extra_seconds)},
                   {"cache_bytes_per_step", d.cache_bytes},
                   {"extra_cache_bytes_per_step", d.extra_cache_bytes},
                   {"bytes_per_s", d.bytes_per_s()},
                   {"part_of_memory", d.bytes_per_s() / f.memory_bytes_per_s.median()}});
  }
  return out;
}

json::array mixed_json(const BenchFigures& f) {
  json::array out;
  for (const MixedFigure& m : f.mixed) {
    out.push_back({{"batch", m.batch},
                   {"prefill_chunk", m.chunk},
                   {"prefill_tokens_per_s", json_of(m.prefill_tokens_per_s)},
                   {"decode_tokens_per_s", json_of(m.decode_tokens_per_s)}});
  }
  return out;
}

json::array peers_json(const BenchFigures& f) {
  json::array out;
  for (const PeerFigure& peer : f.peers) {
    json::object object = {{"name", peer.name}, {"kind", peer.kind}, {"model", peer.model}};
    if (!peer.prefill_tokens_per_s.empty()) {
      object["prefill"] = {{"tokens_per_s", json_of(peer.prefill_tokens_per_s)},
                           {"ratio", f.prefill_tokens_per_s.median() / peer.prefill_tokens_per_s.median()}};
    }
    json::array decode;
    for (const PeerDecodeFigure& d : peer.decode) {
      json::object figure = {{"batch", d.batch}, {"tokens_per_s", json_of(d.tokens_per_s)}};
      if (const DecodeFigure* ours = f.decode_of(d.batch)) {
        figure["ratio"] = ours->tokens_per_s.median() / d.tokens_per_s.median();
      }
      decode.push_back(std::move(figure));
    }
    object["decode"] = std::move(decode);
    out.push_back(std::move(object));
  }
  return out;
}

}  // namespace

std::string to_table(const BenchFigures& f) {
  std::string out = fmt::format("{}, {}, on {}\n{} repetition{}: median (least to most)\n", f.model, f.backend,
                                f.processor.text(), f.n_repetitions, f.n_repetitions == 1 ? "" : "s");
  out += line("memory", text(f.memory_bytes_per_s, "GB/s", 1e9));
  if (!f.integer_ops_per_s.empty()) out += line("integer products", text(f.integer_ops_per_s, "Gop/s", 1e9));
  if (f.experts.n_experts > 0) {
    out += line("experts", fmt::format("{:7} of {} in memory, {:.2f} MB each", f.experts.n_slots, f.experts.n_experts,
                                       double(f.expert_bytes) / 1e6));
  }
  out += line("load",
              fmt::format("{:10.2f} GB/s, {:.2f} GB of weights in {:.2f} s",
                          double(f.stored_bytes) / f.load_seconds / 1e9, double(f.stored_bytes) / 1e9, f.load_seconds));
  if (!f.disk_bytes_per_s.empty()) {
    out += line("disk", fmt::format("{}, the same files{}", text(f.disk_bytes_per_s, "GB/s", 1e9),
                                    f.disk_is_direct ? "" : ", in part from the page cache"));
  }
  std::string prefill =
      fmt::format("{}, {:.0f} Gop/s", text(f.prefill_tokens_per_s, "tokens/s"), f.prefill_integer_ops_per_s() / 1e9);
  if (!f.integer_ops_per_s.empty()) {
    prefill += fmt::format(", {:.0f} % of the integer peak",
                           100 * f.prefill_integer_ops_per_s() / f.integer_ops_per_s.median());
  }
  out += line(fmt::format("prefill {}", f.n_prompt_tokens), prefill);
  if (!f.prefill_stream.hit_share.empty()) out += line("", text(f.prefill_stream));
  out += decode_lines(f);
  for (const MixedFigure& m : f.mixed) {
    out += line(fmt::format("mixed {} + x{}", m.chunk, m.batch),
                fmt::format("{} of prompt; {} of answers", text(m.prefill_tokens_per_s, "tokens/s"),
                            text(m.decode_tokens_per_s, "tokens/s")));
  }
  for (const PeerFigure& peer : f.peers) out += peer_line(peer, f);
  return out;
}

json::object to_json(const BenchFigures& f) {
  json::object prefill = {{"tokens", f.n_prompt_tokens},
                          {"tokens_per_s", json_of(f.prefill_tokens_per_s)},
                          {"integer_ops", f.prefill_integer_ops},
                          {"integer_ops_per_s", f.prefill_integer_ops_per_s()}};
  if (!f.integer_ops_per_s.empty()) {
    prefill["part_of_integer_peak"] = f.prefill_integer_ops_per_s() / f.integer_ops_per_s.median();
  }
  if (!f.prefill_stream.hit_share.empty()) prefill["experts"] = json_of(f.prefill_stream);
  json::object out = {
      {"model", f.model},
      {"backend", f.backend},
      {"processor", {{"name", f.processor.name}, {"family", f.processor.family}, {"model", f.processor.model}}},
      {"threads", f.n_threads},
      {"repetitions", f.n_repetitions},
      {"load",
       {{"bytes", f.stored_bytes},
        {"seconds", f.load_seconds},
        {"bytes_per_s", double(f.stored_bytes) / f.load_seconds}}},
      {"memory_bytes_per_s", json_of(f.memory_bytes_per_s)},
      {"prefill", std::move(prefill)},
      {"decode", decode_json(f)}};
  if (f.experts.n_experts > 0) {
    out["experts"] = {{"total", f.experts.n_experts}, {"slots", f.experts.n_slots}, {"expert_bytes", f.expert_bytes}};
  }
  if (!f.disk_bytes_per_s.empty()) {
    out["disk"] = {{"bytes_per_s", json_of(f.disk_bytes_per_s)}, {"direct", f.disk_is_direct}};
  }
  if (!f.integer_ops_per_s.empty()) out["integer_ops_per_s"] = json_of(f.integer_ops_per_s);
  if (!f.at_depth.empty()) out["decode_at_depth"] = depth_json(f);
  if (!f.mixed.empty()) out["mixed"] = mixed_json(f);
  if (!f.peers.empty()) out["peers"] = peers_json(f);
  return out;
}

}  // namespace paro::cli
