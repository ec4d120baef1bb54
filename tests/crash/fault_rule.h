/*
 * Rules of the fault layer: which calls fail, wait, are cut short, or are the last of the process.
 *
 * A rule is a line of the file `rules` in the state directory:
 *
 *   CALL PATTERN WHICH ACTION[,ACTION…]       sync *.log 5 EIO
 *
 * CALL     open, write, read, sync, dirsync, rename, unlink, link, mkdir, truncate, allocate,
 *          list; or *
 * PATTERN  of the path below the watched directory, as fnmatch has it: `*` takes slashes, too
 * WHICH    5: the fifth matching call; 5+: it and all later ones
 * ACTION   EIO, ENOSPC, EDQUOT, EROFS: the call fails with it
 *          half: of a read or write, half is done first; without a failure that is a short count
 *          done: the call is done first, whatever comes of it
 *          delay=MS: it takes so much longer
 *          die: SIGKILL, then and there
 *
 * The file is read again when another one has taken its place; counts then begin anew.
 */
#ifndef ANNALS_TESTS_CRASH_FAULT_RULE_H_
#define ANNALS_TESTS_CRASH_FAULT_RULE_H_

#include <stdbool.h>

/* What becomes of one call. */
struct fault_verdict {
  int error; /* 0: none */
  int delay_ms;
  bool half;
  bool done;
  bool die;
};

/* Has rules read from this file. A rule that cannot be read ends the process. */
void fault_rules_init(const char *path);

/* Tells what becomes of a call on a path; false: nothing. Counts it. Threads: any. */
bool fault_rules_judge(const char *call, const char *path, struct fault_verdict *ret_verdict);

#endif
