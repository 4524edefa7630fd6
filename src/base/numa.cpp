#include "base/numa.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include <fmt/ranges.h>

#include "base/log.h"
#include "base/processors.h"

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace paro {
namespace {

// As the kernel's headers name them; those of libnuma need not be there.
constexpr int kDefault = 0, kBind = 2, kInterleave = 3, kLocal = 4;
constexpr unsigned long kMemsAllowed = 1 << 2;
constexpr unsigned long kModeFlags = 7ul << 13;

constexpr int kMostNodes = 1024;
constexpr int kBitsOfWord = int(8 * sizeof(unsigned long));
using NodeMask = std::array<unsigned long, kMostNodes / kBitsOfWord>;

std::vector<int> nodes_of(const NodeMask& mask) {
  std::vector<int> nodes;
  for (int node = 0; node < kMostNodes; ++node) {
    if ((mask[size_t(node / kBitsOfWord)] >> (node % kBitsOfWord) & 1) != 0) nodes.push_back(node);
  }
  return nodes;
}

std::vector<int> number_list(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return parse_number_list(line);
}

bool intersect(const std::vector<int>& a, const std::vector<int>& b) {
  return std::any_of(a.begin(), a.end(), [&](int i) { return std::find(b.begin(), b.end(), i) != b.end(); });
}

}  // namespace

MemoryPolicy memory_policy() {
  MemoryPolicy policy;
#if defined(__linux__) && defined(SYS_get_mempolicy)
  int mode = kDefault;
  NodeMask nodes{};
  NodeMask allowed{};
  if (::syscall(SYS_get_mempolicy, &mode, nodes.data(), kMostNodes, nullptr, 0ul) == 0) {
    mode = int(unsigned(mode) & ~kModeFlags);
    policy.mode = mode == kDefault || mode == kLocal ? MemoryPolicy::Mode::local
                  : mode == kBind                    ? MemoryPolicy::Mode::bind
                                                     : MemoryPolicy::Mode::other;
    policy.nodes = nodes_of(nodes);
  }
  if (::syscall(SYS_get_mempolicy, nullptr, allowed.data(), kMostNodes, nullptr, kMemsAllowed) == 0) {
    policy.allowed = nodes_of(allowed);
  }
#endif
  return policy;
}

std::vector<int> nodes_to_interleave(const std::filesystem::path& root, const MemoryPolicy& policy,
                                     const std::vector<int>& processors) {
  if (policy.mode == MemoryPolicy::Mode::other) return {};
  const auto tree = root / "sys/devices/system/node";
  std::vector<int> nodes;
  for (const int node : number_list(tree / "has_memory")) {
    if (!policy.allowed.empty() && !intersect({node}, policy.allowed)) continue;
    const bool chosen = policy.mode == MemoryPolicy::Mode::bind
                            ? intersect({node}, policy.nodes)
                            : intersect(number_list(tree / ("node" + std::to_string(node)) / "cpulist"), processors);
    if (chosen) nodes.push_back(node);
  }
  if (nodes.size() < 2 || nodes.back() >= kMostNodes) nodes.clear();
  return nodes;
}

int interleave(std::span<std::byte> memory, const std::vector<int>& nodes) {
#if defined(__linux__) && defined(SYS_mbind)
  NodeMask mask{};
  for (const int node : nodes) mask[size_t(node / kBitsOfWord)] |= 1ul << (node % kBitsOfWord);
  return ::syscall(SYS_mbind, memory.data(), memory.size(), kInterleave, mask.data(), kMostNodes, 0u) == 0 ? 0 : errno;
#else
  (void)memory, (void)nodes;
  return ENOSYS;
#endif
}

void spread_over_nodes(std::span<std::byte> memory) {
  static const std::vector<int> nodes = nodes_to_interleave("/", memory_policy(), allowed_processors());
  if (nodes.empty()) return;
  const int error = interleave(memory, nodes);
  static std::atomic<bool> said{false};
  if (said.exchange(true)) return;
  if (error == 0) {
    log::info("large buffers lie on NUMA nodes {} in turn", fmt::join(nodes, ", "));
  } else {
    log::warn("large buffers lie on one of NUMA nodes {}: they cannot be spread ({}); try numactl --interleave=all",
              fmt::join(nodes, ", "), std::strerror(error));
  }
}

}  // namespace paro
