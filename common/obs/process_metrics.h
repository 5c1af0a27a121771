// Figures of the own process, read from /proc.
//
// Pure reads; thread-safe.
#ifndef SIGNALBOX_COMMON_OBS_PROCESS_METRICS_H_
#define SIGNALBOX_COMMON_OBS_PROCESS_METRICS_H_

namespace signalbox::obs {

struct ProcessFigures {
  double resident_bytes = 0;
  double cpu_seconds = 0;
  double open_files = 0;
  double max_files = 0;
  double threads = 0;
  double start_time_seconds = 0;  // Unix time
};

// What cannot be read stays 0.
ProcessFigures ReadProcessFigures();

}  // namespace signalbox::obs

#endif  // SIGNALBOX_COMMON_OBS_PROCESS_METRICS_H_
