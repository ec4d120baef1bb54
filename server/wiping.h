/*
 * Memory that is wiped when it is freed, whoever frees it: payloads that were encrypted on the disk
 * leave no traces in a core dump once they have been answered.
 *
 * Floor 4, part of the program alone: it takes the place of the C library's free and realloc. Not
 * in builds with sanitizers, which do so themselves.
 */
#ifndef ANNALS_SERVER_WIPING_H_
#define ANNALS_SERVER_WIPING_H_

/* Begins to wipe. Before, memory is freed as usual. Threads: any. Cost: every free then writes what
 * it frees. */
void annals_wiping_start(void);

#endif
