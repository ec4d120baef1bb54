/*
 * What is wrong with a store, as it is printed: a line for each fault, and one at the end.
 *
 * Floor 2. On a terminal another line tells how far the check has come, until the next one.
 */
#ifndef ANNALS_CLIENT_FAULT_REPORT_H_
#define ANNALS_CLIENT_FAULT_REPORT_H_

#include "client/cli.h"

G_BEGIN_DECLS

/* Something that is not as it should be: views, "" and 0 where it is of nothing in particular. */
struct annals_fault_line {
  const char *file;
  const char *part; /* of the store: history, executions, listings */
  const char *execution_arn;
  int64_t event_id;
  const char *text;
  bool repaired; /* or, when nothing is changed: it can be */
};

/* How much was checked. */
struct annals_fault_counts {
  int64_t executions;
  int64_t events;
  int64_t bytes;
  int64_t faults;
  int64_t repaired;
  int64_t unchecked_files;
};

struct annals_fault_report {
  struct annals_cli *cli;
  bool json; /* an object on each line */
  bool dry;  /* a repair that changes nothing */
  bool progress_shown;
  int64_t progress_us; /* when it was */
};

void annals_fault_report_begin(struct annals_fault_report *report, struct annals_cli *cli,
                               bool json, bool dry);
void annals_fault_report_add(struct annals_fault_report *report,
                             const struct annals_fault_line *fault);
/* Tells how far the check is, where that is of use and not too often. */
void annals_fault_report_progress(struct annals_fault_report *report,
                                  const struct annals_fault_counts *so_far);
/* Ends it early, for an error to be said. */
void annals_fault_report_stop(struct annals_fault_report *report);
/* whole: all was checked. Returns an enum annals_exit: FAILED where faults are left. */
int annals_fault_report_end(struct annals_fault_report *report,
                            const struct annals_fault_counts *counts, bool whole);

G_END_DECLS

#endif
