/*
 * The journal of the fault layer: what a disk would have lost, kept outside of the process.
 *
 * One line of text for each step, appended with one write(2), so that it outlives SIGKILL. A file
 * is named by its inode, since names change. faults.py reads it.
 *
 *   open INODE SIZE PATH         opened to be written, with so many bytes
 *   create INODE PATH            made by open
 *   old INODE OFFSET HEX         these bytes are about to be overwritten or cut off
 *   rename INODE SAVED FROM TO   about to be; SAVED: what TO was, a name in the state directory, or
 * - unlink INODE SAVED PATH      about to be link INODE FROM TO           about to be; so with
 * mkdir PATH and rmdir PATH sync N INODE SIZE            about to be synced, with so many bytes
 *   dirsync N PATH               the same of a directory
 *   synced N                     and it has been
 *   fault CALL PATH              a rule has struck
 *
 * Bytes appended to a file are not told of: what lies behind the size at the last sync is lost.
 * A step and its line are one under fault_journal_lock, so that a sync's line stands behind the
 * lines of all that it covers.
 */
#ifndef ANNALS_TESTS_CRASH_FAULT_JOURNAL_H_
#define ANNALS_TESTS_CRASH_FAULT_JOURNAL_H_

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { FAULT_PATH_MAX = 4096 };

/* Opens the journal in the state directory. */
void fault_journal_init(const char *state_dir);

void fault_journal_lock(void);
void fault_journal_unlock(void);

/* Appends a line, which is given without its end. */
__attribute__((format(printf, 1, 2))) void fault_journal_note(const char *format, ...);

/* Notes the bytes of a file between two offsets that are about to be changed or cut off. Behind the
 * file's end there are none. */
void fault_journal_note_old(int fd, off_t begin, off_t end);

/* Keeps the file at path under a name of its own. ret_name: that name, or "-" when there is none.
 */
void fault_journal_save(const char *path, char *ret_name, size_t size);

/* Gives the number of the next sync. */
long fault_journal_next_sync(void);

#endif
