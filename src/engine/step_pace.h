// How many rows of prompts a step may have while answers wait for it: as many as make it kStretch times as long as what
// it costs without them. A step that has to read all weights for its first row gets its room in proportion, so that
// prompts are run at most of the speed that they would have alone.
//
// The cost is learned from the steps that ran: seconds = fixed + n_rows * per_row, by least squares in which a step
// counts the less the longer ago it was.
#pragma once

namespace paro {

class StepPace {
 public:
  static constexpr double kStretch = 3;
  static constexpr int kFewestRows = 16;  // that prompts get in every step
  static constexpr int kFirstRows = 64;   // while nothing is known

  // A step with so many rows of prompts beside answers; 0: answers alone.
  void add(int n_prompt_rows, double seconds);

  // Rows of prompts for the next step that has answers too.
  int prompt_rows() const;

 private:
  // Of steps with prompts: sums over rows x and seconds y.
  struct Sums {
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  };

  Sums sums_;
  double decode_seconds_ = 0;  // of a step of answers alone, 0: none yet
};

}  // namespace paro
