/*
 * The fault layer: a disk that loses what was not synced, and that fails when told to.
 *
 * A shared library to be preloaded into a server. It stands between the process and the C
 * library's calls on files below FAULTS_ROOT; all other files it leaves alone. FAULTS_STATE is a
 * directory on the same file system, outside of the root, that it keeps its journal in
 * (fault_journal.h) and is given rules in (fault_rule.h). When the process has been killed,
 * faults.py takes from the files what a power cut would have.
 *
 * It knows the calls that RocksDB and GLib write files with. What it cannot follow it refuses:
 * shared writable mappings end the process.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/fault_journal.h"
#include "tests/crash/fault_rule.h"

enum { DESCRIPTORS_MAX = 1 << 16 };

/* What is open below the root, by descriptor; NULL: not ours. */
static _Atomic(char *) open_paths[DESCRIPTORS_MAX];
static char root[FAULT_PATH_MAX];
static size_t root_size; /* 0: nothing is watched */

static void start(void) {
  const char *root_env = getenv("FAULTS_ROOT");
  const char *state = getenv("FAULTS_STATE");
  if (root_env == NULL || state == NULL) {
    return;
  }
  char path[FAULT_PATH_MAX];
  snprintf(root, sizeof root, "%s/", root_env);
  snprintf(path, sizeof path, "%.3000s/rules", state);
  fault_rules_init(path);
  fault_journal_init(state);
  root_size = strlen(root);
}

__attribute__((constructor)) static void start_once(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start);
}

/* Returns the part of a path below the root, "." for the root itself, or NULL. */
static const char *below_root(const char *path) {
  if (root_size == 0 || path == NULL) {
    return NULL;
  }
  if (strncmp(path, root, root_size) == 0) {
    return path[root_size] != '\0' ? path + root_size : ".";
  }
  return strncmp(path, root, root_size - 1) == 0 && path[root_size - 1] == '\0' ? "." : NULL;
}

static char *path_of(int fd) {
  return fd >= 0 && fd < DESCRIPTORS_MAX ? atomic_load(&open_paths[fd]) : NULL;
}

/* Paths are never freed: another thread may be at one. */
static void remember(int fd, char *path) {
  if (fd >= 0 && fd < DESCRIPTORS_MAX) {
    atomic_store(&open_paths[fd], path);
  }
}

/* ---- verdicts ------------------------------------------------------------------------------ */

static struct fault_verdict judge(const char *call, const char *path) {
  struct fault_verdict verdict = {0};
  int saved_errno = errno;
  if (fault_rules_judge(call, path, &verdict)) {
    fault_journal_note("fault %s %s", call, path);
  }
  if (verdict.delay_ms > 0) {
    struct timespec delay = {verdict.delay_ms / 1000, verdict.delay_ms % 1000 * 1000000L};
    nanosleep(&delay, NULL);
  }
  errno = saved_errno;
  return verdict;
}

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) {
    pause();
  }
}

/* Tells whether the call is to be done at all; if not, errno says why. */
static bool goes_on(const struct fault_verdict *verdict) {
  if (verdict->done || verdict->half) {
    return true;
  }
  if (verdict->die) {
    die();
  }
  if (verdict->error != 0) {
    errno = verdict->error;
    return false;
  }
  return true;
}

/* Gives the result of a call that was done, or half. */
static long conclude(const struct fault_verdict *verdict, long result) {
  if (verdict->die) {
    die();
  }
  if (verdict->error != 0) {
    errno = verdict->error;
    return -1;
  }
  return result;
}

/* ---- open and close ------------------------------------------------------------------------ */

static int open_below(const char *path, const char *name, int flags, mode_t mode) {
  struct fault_verdict verdict = judge("open", name);
  if (!goes_on(&verdict)) {
    return -1;
  }
  struct stat stat;
  bool writes = (flags & O_ACCMODE) != O_RDONLY;
  fault_journal_lock();
  bool existed = lstat(path, &stat) == 0;
  if (existed && writes && (flags & O_TRUNC) != 0 && stat.st_size > 0) {
    int reader = (int)syscall(SYS_open, path, O_RDONLY | O_CLOEXEC);
    fault_journal_note("open %lu %ld %s", (unsigned long)stat.st_ino, (long)stat.st_size, name);
    fault_journal_note_old(reader, 0, stat.st_size);
    syscall(SYS_close, reader);
  }
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  if (fd >= 0 && fstat(fd, &stat) == 0 && writes) {
    if (existed) {
      fault_journal_note("open %lu %ld %s", (unsigned long)stat.st_ino, (long)stat.st_size, name);
    } else {
      fault_journal_note("create %lu %s", (unsigned long)stat.st_ino, name);
    }
  }
  fault_journal_unlock();
  if (fd >= DESCRIPTORS_MAX) {
    fprintf(stderr, "fault layer: too many descriptors\n");
    abort();
  }
  if (fd >= 0) {
    remember(fd, strdup(name));
  }
  return (int)conclude(&verdict, fd);
}

/* Gives the absolute path of one that may start at an open directory. */
static const char *resolve(int dir, const char *path, char buffer[FAULT_PATH_MAX]) {
  char link[64];
  if (root_size == 0 || dir == AT_FDCWD || path[0] == '/') {
    return path;
  }
  snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
  ssize_t size = readlink(link, buffer, FAULT_PATH_MAX / 2);
  if (size > 0) {
    snprintf(buffer + size, FAULT_PATH_MAX - (size_t)size, "/%s", path);
  }
  return size > 0 ? buffer : path;
}

static int open_any(int dir, const char *path, int flags, mode_t mode) {
  start_once();
  char buffer[FAULT_PATH_MAX];
  const char *whole = resolve(dir, path, buffer);
  const char *name = below_root(whole);
  return name != NULL ? open_below(whole, name, flags, mode)
                      : (int)syscall(SYS_openat, dir, path, flags, mode);
}

#define MODE_OF(flags, last)                      \
  mode_t mode = 0;                                \
  if (((flags) & (O_CREAT | __O_TMPFILE)) != 0) { \
    va_list args;                                 \
    va_start(args, last);                         \
    mode = (mode_t)va_arg(args, unsigned);        \
    va_end(args);                                 \
  }

int open(const char *path, int flags, ...) {
  MODE_OF(flags, flags)
  return open_any(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  MODE_OF(flags, flags)
  return open_any(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...) {
  MODE_OF(flags, flags)
  return open_any(dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...) {
  MODE_OF(flags, flags)
  return open_any(dir, path, flags, mode);
}

int creat(const char *path, mode_t mode) {
  return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* glibc's own close and fclose would leave the descriptor taken for ours. */
int close(int fd) {
  remember(fd, NULL);
  return (int)syscall(SYS_close, fd);
}

int fclose(FILE *stream) {
  static _Atomic(int (*)(FILE *)) next;
  if (atomic_load(&next) == NULL) {
    atomic_store(&next, (int (*)(FILE *))dlsym(RTLD_NEXT, "fclose"));
  }
  remember(fileno(stream), NULL);
  return atomic_load(&next)(stream);
}

/* ---- bytes --------------------------------------------------------------------------------- */

/* Writes at an offset, or at the end if it is negative. */
static ssize_t write_any(int fd, const void *bytes, size_t size, off_t offset) {
  return offset < 0 ? syscall(SYS_write, fd, bytes, size)
                    : syscall(SYS_pwrite64, fd, bytes, size, offset);
}

static off_t place_of(int fd) {
  return (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
}

static ssize_t write_watched(int fd, const void *bytes, size_t size, off_t offset) {
  const char *path = path_of(fd);
  if (path == NULL) {
    return write_any(fd, bytes, size, offset);
  }
  struct fault_verdict verdict = judge("write", path);
  if (!goes_on(&verdict)) {
    return -1;
  }
  if (verdict.half && size > 1) {
    size /= 2;
  }
  off_t begin = offset < 0 ? place_of(fd) : offset;
  struct stat stat;
  ssize_t done;
  if (fstat(fd, &stat) == 0 && begin < stat.st_size) {
    fault_journal_lock();
    fault_journal_note_old(fd, begin, begin + (off_t)size);
    done = write_any(fd, bytes, size, offset);
    fault_journal_unlock();
  } else {
    done = write_any(fd, bytes, size, offset);
  }
  return conclude(&verdict, done);
}

ssize_t write(int fd, const void *bytes, size_t size) {
  return write_watched(fd, bytes, size, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
  return write_watched(fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t offset) {
  return write_watched(fd, bytes, size, offset);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
  if (path_of(fd) == NULL) {
    return syscall(SYS_writev, fd, pieces, count);
  }
  ssize_t total = 0;
  for (int i = 0; i < count; i++) {
    ssize_t done = write_watched(fd, pieces[i].iov_base, pieces[i].iov_len, -1);
    if (done < 0) {
      return total > 0 ? total : -1;
    }
    total += done;
    if ((size_t)done < pieces[i].iov_len) {
      break;
    }
  }
  return total;
}

static ssize_t read_watched(int fd, void *bytes, size_t size, off_t offset) {
  const char *path = path_of(fd);
  struct fault_verdict verdict = {0};
  if (path != NULL) {
    verdict = judge("read", path);
    if (!goes_on(&verdict)) {
      return -1;
    }
    size = verdict.half && size > 1 ? size / 2 : size;
  }
  ssize_t done = offset < 0 ? syscall(SYS_read, fd, bytes, size)
                            : syscall(SYS_pread64, fd, bytes, size, offset);
  return conclude(&verdict, done);
}

ssize_t read(int fd, void *bytes, size_t size) {
  return read_watched(fd, bytes, size, -1);
}

ssize_t pread(int fd, void *bytes, size_t size, off_t offset) {
  return read_watched(fd, bytes, size, offset);
}

ssize_t pread64(int fd, void *bytes, size_t size, off_t offset) {
  return read_watched(fd, bytes, size, offset);
}

int ftruncate(int fd, off_t size) {
  const char *path = path_of(fd);
  if (path == NULL) {
    return (int)syscall(SYS_ftruncate, fd, size);
  }
  struct fault_verdict verdict = judge("truncate", path);
  if (!goes_on(&verdict)) {
    return -1;
  }
  fault_journal_lock();
  struct stat stat;
  if (fstat(fd, &stat) == 0) {
    fault_journal_note_old(fd, size, stat.st_size);
  }
  int done = (int)syscall(SYS_ftruncate, fd, size);
  fault_journal_unlock();
  return (int)conclude(&verdict, done);
}

int ftruncate64(int fd, off_t size) {
  return ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  struct fault_verdict verdict = {0};
  if (path_of(fd) != NULL) {
    verdict = judge("allocate", path_of(fd));
    if (!goes_on(&verdict)) {
      return -1;
    }
  }
  return (int)conclude(&verdict, syscall(SYS_fallocate, fd, mode, offset, size));
}

int fallocate64(int fd, int mode, off_t offset, off_t size) {
  return fallocate(fd, mode, offset, size);
}

static void *map(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  bool writes = (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0;
  if (writes && (flags & MAP_ANONYMOUS) == 0 && path_of(fd) != NULL) {
    fprintf(stderr, "fault layer: %s is mapped to be written: not followed\n", path_of(fd));
    abort();
  }
  return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  return map(address, size, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  return map(address, size, protection, flags, fd, offset);
}

/* ---- syncs --------------------------------------------------------------------------------- */

static int sync_watched(int fd, long number) {
  const char *path = path_of(fd);
  struct stat stat;
  if (path == NULL || fstat(fd, &stat) != 0) {
    return (int)syscall(number, fd);
  }
  bool directory = S_ISDIR(stat.st_mode);
  struct fault_verdict verdict = judge(directory ? "dirsync" : "sync", path);
  if (!goes_on(&verdict)) {
    return -1;
  }
  fault_journal_lock();
  long id = fault_journal_next_sync();
  if (directory) {
    fault_journal_note("dirsync %ld %s", id, path);
  } else {
    (void)fstat(fd, &stat);
    fault_journal_note("sync %ld %lu %ld", id, (unsigned long)stat.st_ino, (long)stat.st_size);
  }
  fault_journal_unlock();
  int done = (int)syscall(number, fd);
  if (done == 0) {
    fault_journal_note("synced %ld", id);
  }
  return (int)conclude(&verdict, done);
}

int fsync(int fd) {
  return sync_watched(fd, SYS_fsync);
}

int fdatasync(int fd) {
  return sync_watched(fd, SYS_fdatasync);
}

/* ---- names --------------------------------------------------------------------------------- */

static unsigned long inode_of(const char *path) {
  struct stat stat;
  return lstat(path, &stat) == 0 ? (unsigned long)stat.st_ino : 0;
}

int rename(const char *from, const char *to) {
  const char *name = below_root(to);
  const char *from_name = below_root(from);
  if (name == NULL && from_name == NULL) {
    return (int)syscall(SYS_rename, from, to);
  }
  if (name == NULL || from_name == NULL) {
    fprintf(stderr, "fault layer: %s is renamed to %s: not followed\n", from, to);
    abort();
  }
  struct fault_verdict verdict = judge("rename", name);
  if (!goes_on(&verdict)) {
    return -1;
  }
  char saved[32];
  fault_journal_lock();
  fault_journal_save(to, saved, sizeof saved);
  fault_journal_note("rename %lu %s %s %s", inode_of(from), saved, from_name, name);
  int done = (int)syscall(SYS_rename, from, to);
  fault_journal_unlock();
  return (int)conclude(&verdict, done);
}

int unlink(const char *path) {
  const char *name = below_root(path);
  if (name == NULL) {
    return (int)syscall(SYS_unlink, path);
  }
  struct fault_verdict verdict = judge("unlink", name);
  if (!goes_on(&verdict)) {
    return -1;
  }
  char saved[32];
  fault_journal_lock();
  fault_journal_save(path, saved, sizeof saved);
  fault_journal_note("unlink %lu %s %s", inode_of(path), saved, name);
  int done = (int)syscall(SYS_unlink, path);
  fault_journal_unlock();
  return (int)conclude(&verdict, done);
}

DIR *opendir(const char *path) {
  static _Atomic(DIR * (*)(const char *)) next;
  if (atomic_load(&next) == NULL) {
    atomic_store(&next, (DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir"));
  }
  const char *name = below_root(path);
  struct fault_verdict verdict = {0};
  if (name != NULL) {
    verdict = judge("list", name);
  }
  return goes_on(&verdict) ? atomic_load(&next)(path) : NULL;
}

int remove(const char *path) {
  struct stat stat;
  return lstat(path, &stat) == 0 && S_ISDIR(stat.st_mode) ? rmdir(path) : unlink(path);
}

int link(const char *from, const char *to) {
  const char *name = below_root(to);
  if (name == NULL) {
    return (int)syscall(SYS_link, from, to);
  }
  struct fault_verdict verdict = judge("link", name);
  if (!goes_on(&verdict)) {
    return -1;
  }
  fault_journal_lock();
  fault_journal_note("link %lu %s %s", inode_of(from), from, name);
  int done = (int)syscall(SYS_link, from, to);
  fault_journal_unlock();
  return (int)conclude(&verdict, done);
}

int mkdir(const char *path, mode_t mode) {
  const char *name = below_root(path);
  if (name == NULL || inode_of(path) != 0) {
    return (int)syscall(SYS_mkdir, path, mode);
  }
  struct fault_verdict verdict = judge("mkdir", name);
  if (!goes_on(&verdict)) {
    return -1;
  }
  fault_journal_lock();
  fault_journal_note("mkdir %s", name);
  int done = (int)syscall(SYS_mkdir, path, mode);
  fault_journal_unlock();
  return (int)conclude(&verdict, done);
}

int mkdirat(int dir, const char *path, mode_t mode) {
  char buffer[FAULT_PATH_MAX];
  const char *whole = resolve(dir, path, buffer);
  return below_root(whole) != NULL ? mkdir(whole, mode)
                                   : (int)syscall(SYS_mkdirat, dir, path, mode);
}

int rmdir(const char *path) {
  const char *name = below_root(path);
  if (name == NULL) {
    return (int)syscall(SYS_rmdir, path);
  }
  fault_journal_lock();
  fault_journal_note("rmdir %s", name);
  int done = (int)syscall(SYS_rmdir, path);
  fault_journal_unlock();
  return done;
}
