#include "tests/crash/fault_rule.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RULES_MAX = 16, RULES_BYTES_MAX = 4096 };

struct rule {
  char call[16];
  char pattern[128];
  long first;
  bool and_later;
  struct fault_verdict verdict;
  long count;
};

static char rules_path[4096];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stat read_from; /* which file the rules are of */
static struct rule rules[RULES_MAX];
static int rule_count;

static void refuse(const char *what, const char *text) {
  fprintf(stderr, "fault layer: %s: %s\n", what, text);
  abort();
}

static void set_action(struct fault_verdict *verdict, const char *action) {
  static const struct {
    const char *name;
    int error;
  } errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS}};
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
    if (strcmp(action, errors[i].name) == 0) {
      verdict->error = errors[i].error;
      return;
    }
  }
  if (strcmp(action, "half") == 0) {
    verdict->half = true;
  } else if (strcmp(action, "done") == 0) {
    verdict->done = true;
  } else if (strcmp(action, "die") == 0) {
    verdict->die = true;
  } else if (sscanf(action, "delay=%d", &verdict->delay_ms) != 1) {
    refuse("no such action", action);
  }
}

static void parse_rule(const char *line) {
  struct rule *rule = &rules[rule_count];
  char actions[128];
  char later = '\0';
  *rule = (struct rule){.first = 0};
  if (rule_count == RULES_MAX ||
      (sscanf(line, "%15s %127s %ld%c %127s", rule->call, rule->pattern, &rule->first, &later,
              actions) != 5) ||
      rule->first < 1 || (later != '+' && later != ' ')) {
    refuse("not a rule", line);
  }
  rule->and_later = later == '+';
  char *rest = NULL;
  for (char *action = strtok_r(actions, ",", &rest); action != NULL;
       action = strtok_r(NULL, ",", &rest)) {
    set_action(&rule->verdict, action);
  }
  rule_count++;
}

static void read_rules(void) {
  char text[RULES_BYTES_MAX];
  long fd = syscall(SYS_open, rules_path, O_RDONLY | O_CLOEXEC);
  long size = fd < 0 ? 0 : syscall(SYS_read, fd, text, sizeof text - 1);
  if (fd >= 0) {
    syscall(SYS_close, fd);
  }
  text[size > 0 ? size : 0] = '\0';
  rule_count = 0;
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    parse_rule(line);
  }
}

void fault_rules_init(const char *path) {
  snprintf(rules_path, sizeof rules_path, "%s", path);
}

static void look(void) {
  struct stat now;
  if (stat(rules_path, &now) != 0) {
    memset(&now, 0, sizeof now);
  }
  if (now.st_ino != read_from.st_ino || now.st_mtim.tv_sec != read_from.st_mtim.tv_sec ||
      now.st_mtim.tv_nsec != read_from.st_mtim.tv_nsec) {
    read_from = now;
    read_rules();
  }
}

bool fault_rules_judge(const char *call, const char *path, struct fault_verdict *ret_verdict) {
  bool any = false;
  pthread_mutex_lock(&lock);
  look();
  for (int i = 0; i < rule_count && !any; i++) {
    struct rule *rule = &rules[i];
    if ((strcmp(rule->call, "*") == 0 || strcmp(rule->call, call) == 0) &&
        fnmatch(rule->pattern, path, 0) == 0) {
      rule->count++;
      any = rule->count == rule->first || (rule->and_later && rule->count > rule->first);
      if (any) {
        *ret_verdict = rule->verdict;
      }
    }
  }
  pthread_mutex_unlock(&lock);
  return any;
}
