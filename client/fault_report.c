#include "client/fault_report.h"

#include <jansson.h>
#include <unistd.h>

enum { BYTES_PER_MIB = 1 << 20 };

static const int64_t PROGRESS_US = G_USEC_PER_SEC / 2;

void annals_fault_report_begin(struct annals_fault_report *report, struct annals_cli *cli,
                               bool json, bool dry) {
  *report = (struct annals_fault_report){.cli = cli, .json = json, .dry = dry};
}

/* Takes the line away that tells how far the check is. */
static void clear_progress(struct annals_fault_report *report) {
  if (report->progress_shown) {
    fputs("\r\033[K", report->cli->err);
    fflush(report->cli->err);
    report->progress_shown = false;
  }
}

void annals_fault_report_stop(struct annals_fault_report *report) {
  clear_progress(report);
}

static void write_json(struct annals_fault_report *report, json_t *object) {
  char *text = json_dumps(object, JSON_COMPACT);
  fprintf(report->cli->out, "%s\n", text != NULL ? text : "{}");
  free(text);
  json_decref(object);
}

static void add_text(json_t *object, const char *name, const char *text) {
  if (*text != '\0') {
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    json_object_set_new(object, name, json_string(valid));
  }
}

static void add_json(struct annals_fault_report *report, const struct annals_fault_line *fault) {
  json_t *object = json_object();
  add_text(object, "file", fault->file);
  add_text(object, "part", fault->part);
  add_text(object, "executionArn", fault->execution_arn);
  if (fault->event_id != 0) {
    json_object_set_new(object, "eventId", json_integer(fault->event_id));
  }
  add_text(object, "fault", fault->text);
  json_object_set_new(object, report->dry ? "repairable" : "repaired",
                      json_boolean(fault->repaired));
  write_json(report, object);
}

static void append_part(GString *line, const char *text, const char *behind) {
  if (*text != '\0') {
    g_string_append(line, text);
    g_string_append(line, behind);
  }
}

/* `history arn:… event 5: text (000012.sst): repaired` */
static void add_line(struct annals_fault_report *report, const struct annals_fault_line *fault) {
  GString *line = g_string_new(NULL);
  append_part(line, fault->part, " ");
  append_part(line, fault->execution_arn, " ");
  if (fault->event_id != 0) {
    g_string_append_printf(line, "event %" G_GINT64_FORMAT " ", fault->event_id);
  }
  append_part(line, fault->file, " ");
  g_string_truncate(line, line->len > 0 ? line->len - 1 : 0);
  append_part(line, line->len > 0 ? ": " : "", "");
  g_string_append(line, fault->text);
  if (fault->repaired) {
    g_string_append(line, report->dry ? ": can be repaired" : ": repaired");
  }
  g_autofree char *valid = g_utf8_make_valid(line->str, -1);
  for (char *at = valid; *at != '\0'; at++) {
    *at = g_ascii_iscntrl(*at) ? ' ' : *at;
  }
  fprintf(report->cli->out, "%s\n", valid);
  g_string_free(line, TRUE);
}

void annals_fault_report_add(struct annals_fault_report *report,
                             const struct annals_fault_line *fault) {
  clear_progress(report);
  if (report->json) {
    add_json(report, fault);
  } else {
    add_line(report, fault);
  }
  fflush(report->cli->out);
}

void annals_fault_report_progress(struct annals_fault_report *report,
                                  const struct annals_fault_counts *so_far) {
  int64_t now_us = g_get_monotonic_time();
  int fd = fileno(report->cli->err);
  if (now_us - report->progress_us < PROGRESS_US || fd < 0 || isatty(fd) != 1) {
    return;
  }
  const double mib = (double)so_far->bytes / BYTES_PER_MIB;
  fprintf(report->cli->err,
          "\r\033[K%" G_GINT64_FORMAT " executions, %" G_GINT64_FORMAT " events, %.1f MiB",
          so_far->executions, so_far->events, mib);
  fflush(report->cli->err);
  report->progress_us = now_us;
  report->progress_shown = true;
}

static void end_json(struct annals_fault_report *report, const struct annals_fault_counts *counts,
                     bool whole) {
  json_t *object = json_object();
  json_object_set_new(object, "executions", json_integer(counts->executions));
  json_object_set_new(object, "events", json_integer(counts->events));
  json_object_set_new(object, "bytes", json_integer(counts->bytes));
  json_object_set_new(object, "faults", json_integer(counts->faults));
  json_object_set_new(object, report->dry ? "repairable" : "repaired",
                      json_integer(counts->repaired));
  json_object_set_new(object, "uncheckedFiles", json_integer(counts->unchecked_files));
  json_object_set_new(object, "whole", json_boolean(whole));
  write_json(report, json_pack("{so}", "summary", object));
}

static void end_line(struct annals_fault_report *report, const struct annals_fault_counts *counts,
                     bool whole) {
  const double mib = (double)counts->bytes / BYTES_PER_MIB;
  fprintf(report->cli->out,
          "%" G_GINT64_FORMAT " executions, %" G_GINT64_FORMAT
          " events, %.1f MiB read: %" G_GINT64_FORMAT " faults",
          counts->executions, counts->events, mib, counts->faults);
  if (counts->repaired > 0) {
    fprintf(report->cli->out, ", of which %" G_GINT64_FORMAT " %s", counts->repaired,
            report->dry ? "can be repaired" : "are repaired");
  }
  if (counts->unchecked_files > 0) {
    fprintf(report->cli->out, "; %" G_GINT64_FORMAT " files have no checksum as a whole",
            counts->unchecked_files);
  }
  fputs(whole ? "\n" : "; not all could be checked\n", report->cli->out);
}

int annals_fault_report_end(struct annals_fault_report *report,
                            const struct annals_fault_counts *counts, bool whole) {
  clear_progress(report);
  if (report->json) {
    end_json(report, counts, whole);
  } else {
    end_line(report, counts, whole);
  }
  if (!annals_cli_flush(report->cli)) {
    return ANNALS_EXIT_USAGE;
  }
  int64_t left = report->dry ? counts->faults : counts->faults - counts->repaired;
  return left > 0 || !whole ? ANNALS_EXIT_FAILED : ANNALS_EXIT_OK;
}
