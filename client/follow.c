#include "client/follow.h"

#include "client/json_page.h"
#include "client/table.h"

struct follow {
  struct annals_cli *cli;
  const struct annals_schema *schema;
  bool json;
  size_t table_width;
  struct annals_json_page page;
};

/* Prints an event, and sees to it that it can be read now. */
static bool print(struct follow *follow, struct annals_client_event event) {
  bool known =
      follow->json
          ? annals_json_page_write_line(&follow->page, annals_schema_event(follow->schema),
                                        event.data, event.size)
          : annals_table_write_event(follow->schema, event, follow->table_width, follow->cli->out);
  if (!known) {
    annals_cli_error(follow->cli, "the server sent an event that this program does not know");
  }
  return annals_cli_flush(follow->cli) && known;
}

static bool print_all(struct follow *follow, struct annals_client_watch *watch) {
  struct annals_client_event event;
  GError *error = NULL;
  while (annals_client_watch_next(watch, -1, &event, &error)) {
    if (event.data == NULL) {
      return true;
    }
    if (!print(follow, event)) {
      return false;
    }
  }
  g_autofree char *text = annals_cli_describe(error);
  annals_cli_error(follow->cli, "%s", text);
  g_error_free(error);
  return false;
}

bool annals_follow(struct annals_cli *cli, struct annals_client *client,
                   const struct annals_schema *schema,
                   const struct annals_client_watch_request *request, bool json) {
  struct follow follow = {
      .cli = cli,
      .schema = schema,
      .json = json,
      .table_width = annals_table_width(cli->out),
  };
  struct annals_client_watch *watch = annals_client_watch_new(client, request);
  annals_json_page_init(&follow.page, cli->out);
  if (!json) {
    annals_table_write_header(follow.table_width, cli->out);
  }
  bool ok = print_all(&follow, watch);
  annals_json_page_clear(&follow.page);
  annals_client_watch_free(watch);
  return ok;
}
