#include "engine/prefix_fingerprint.h"

#include <fmt/format.h>

#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>

#include "base/file.h"

namespace paro {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxConfigBytes = 16 << 20;

int64_t time_of(const fs::path& file) {
  std::error_code error;
  return int64_t(fs::last_write_time(file, error).time_since_epoch().count());
}

// Another build may compute other bits. Where the system does not say which file runs, its version has to do.
std::string program() {
  std::string text = "paro " PARO_VERSION;
  std::error_code error;
  const fs::path file = fs::read_symlink("/proc/self/exe", error);
  if (!error) fmt::format_to(std::back_inserter(text), " {} {}", fs::file_size(file, error), time_of(file));
  return text;
}

// Without the number of threads, which no result depends on.
std::string_view kernels(std::string_view backend_name) { return backend_name.substr(0, backend_name.rfind(',')); }

}  // namespace

PrefixKey prefix_fingerprint(const EngineOptions& options, const SafetensorsFiles& files, const MemoryPlan& plan,
                             const Backend& backend) {
  std::string text = fmt::format("{}\n{}\ntypes {} {} {}\npages of {}\n", program(), kernels(backend.name()),
                                 int(plan.kv_type), int(plan.head_type), int(plan.embedding_type), kPageTokens);
  const auto out = std::back_inserter(text);
  for (const KvLayerSpec& layer : plan.spec.kv_layers) {
    fmt::format_to(out, "layer {} {} {} {}\n", int(layer.kind), layer.n_kv_heads, layer.head_dim,
                   backend.page_bytes({layer.n_kv_heads, layer.head_dim, plan.kv_type}));
  }
  for (const File& file : files.files()) {
    fmt::format_to(out, "file {} {} {}\n", file.path().filename().string(), file.size_bytes(), time_of(file.path()));
  }
  for (const auto& [name, tensor] : files.tensors()) {
    fmt::format_to(out, "tensor {} {} {} {} {}\n", name, int(tensor.dtype), tensor.file, tensor.offset_bytes,
                   tensor.n_bytes);
  }
  text += read_text_file(options.model / "config.json", kMaxConfigBytes);
  return PrefixKey::of(std::as_bytes(std::span(text)));
}

}  // namespace paro
