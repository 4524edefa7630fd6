#include "paroquant/stored.h"

#include <bitset>

#include "base/error.h"

namespace paro {

void check_pairs(const RotationSpec& spec, const StoredRotation& rotation, std::string_view name) {
  for (int round = 0; round < spec.krot; ++round) {
    for (int64_t begin = 0; begin < spec.in; begin += spec.group_size) {
      std::bitset<256> seen;
      for (int64_t i = begin; i < begin + spec.group_size; ++i) {
        const int channel = rotation.pairs[round * spec.in + i];
        if (channel < 0 || channel >= spec.group_size || seen[size_t(channel)]) {
          throw Error(ErrorKind::checkpoint,
                      "'{}' is no pairing: round {}, group {} names channel {} {}, expected each of 0 to {} once; the "
                      "file is damaged or of another group size",
                      name, round, begin / spec.group_size, channel,
                      channel < 0 || channel >= spec.group_size ? "outside the group" : "twice", spec.group_size - 1);
        }
        seen.set(size_t(channel));
      }
    }
  }
}

}  // namespace paro
