/* A small JSON API over SQLite: notes with list, create, fetch, delete. SQLite blocks, so the
 * handlers run on the pool, which is the default. JSON is read and written by SQLite's own
 * functions; errors are problem details (RFC 9457).
 * json_api DATABASE [ADDRESS]          try: curl -d '{"text":"buy fish"}' localhost:7878/notes */
#include <galley/server.h>

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static int problem(galley_response *rs, int status, const char *title, const char *detail)
{
    char *json = sqlite3_mprintf("{\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\"}\n", title,
                                 status, detail);
    return json ? galley_res_data(rs, status, "application/problem+json", json, strlen(json),
                                  sqlite3_free, json)
                : GALLEY_ENOMEM;
}

static int database_problem(galley_response *rs, sqlite3 *db)
{
    fprintf(stderr, "json_api: %s\n", sqlite3_errmsg(db));
    return problem(rs, 500, "Internal Server Error", "The database could not do that.");
}

/* A statement with its only parameter; the text lives as long as the request does. */
static sqlite3_stmt *prepare(sqlite3 *db, const char *sql, galley_str parameter)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK) {
        const char *text = parameter.ptr ? parameter.ptr : "";
        sqlite3_bind_text(statement, 1, text, (int)parameter.len, SQLITE_STATIC);
    }
    return statement;
}

/* The first column of the first row is the answer. */
static int answer_row(galley_response *rs, sqlite3 *db, const char *sql, galley_str parameter)
{
    sqlite3_stmt *statement = prepare(db, sql, parameter);
    int step = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    int result;
    if (step == SQLITE_ROW) {
        result = galley_res_printf(rs, 200, "application/json", "%s\n",
                                   (const char *)sqlite3_column_text(statement, 0));
    } else if (step == SQLITE_DONE) {
        result = problem(rs, 404, "Not Found", "There is no such note.");
    } else {
        result = database_problem(rs, db);
    }
    sqlite3_finalize(statement);
    return result;
}

static int list_notes(galley_request *rq, galley_response *rs, void *db)
{
    return answer_row(rs, db,
                      "SELECT json_group_array(json_object('id', id, 'text', text)) FROM "
                      "(SELECT id, text FROM notes WHERE instr(text, ?1) > 0 OR ?1 = '' "
                      "ORDER BY id LIMIT 1000)",
                      galley_req_query_param(rq, "search"));
}

static int fetch_note(galley_request *rq, galley_response *rs, void *db)
{
    return answer_row(rs, db,
                      "SELECT json_object('id', id, 'text', text) FROM notes "
                      "WHERE CAST(id AS TEXT) = ?1",
                      galley_req_param(rq, "id"));
}

static int delete_note(galley_request *rq, galley_response *rs, void *db)
{
    return answer_row(rs, db,
                      "DELETE FROM notes WHERE CAST(id AS TEXT) = ?1 "
                      "RETURNING json_object('deleted', id)",
                      galley_req_param(rq, "id"));
}

static bool is_json(galley_request *rq)
{
    galley_str type = galley_req_header(rq, "content-type");
    return type.ptr && strncmp(type.ptr, "application/json", 16) == 0;
}

static int create_note(galley_request *rq, galley_response *rs, void *db)
{
    if (!is_json(rq)) {
        return problem(rs, 415, "Unsupported Media Type", "Send application/json.");
    }
    sqlite3_stmt *statement =
        prepare(db,
                "INSERT INTO notes(text) SELECT json_extract(?1, '$.text') "
                "WHERE CASE WHEN json_valid(?1) THEN json_type(?1, '$.text') = 'text' END "
                "RETURNING json_object('id', id, 'text', text), '/notes/' || id",
                galley_req_body(rq));
    int step = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    int result;
    if (step == SQLITE_ROW) {
        galley_res_header(rs, "Location", (const char *)sqlite3_column_text(statement, 1));
        result = galley_res_printf(rs, 201, "application/json", "%s\n",
                                   (const char *)sqlite3_column_text(statement, 0));
    } else if (step == SQLITE_DONE) {
        result = problem(rs, 422, "Unprocessable Content", "Send an object with a string text.");
    } else {
        result = database_problem(rs, db);
    }
    sqlite3_finalize(statement);
    return result;
}

static sqlite3 *open_database(const char *path)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "CREATE TABLE IF NOT EXISTS notes(id INTEGER PRIMARY KEY, text TEXT)",
                     NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "json_api: %s: %s\n", path, sqlite3_errmsg(db));
        sqlite3_close(db);
        return NULL;
    }
    sqlite3_busy_timeout(db, 2000);
    return db;
}

int main(int argc, char **argv)
{
    galley_error err = {0};
    sqlite3 *db = open_database(argc > 1 ? argv[1] : ":memory:");
    galley_server *srv = db ? galley_server_new(NULL, &err) : NULL;
    galley_server_route(srv, "GET /notes", list_notes, db, NULL);
    galley_server_route(srv, "POST /notes", create_note, db, NULL);
    galley_server_route(srv, "GET /notes/{id}", fetch_note, db, NULL);
    galley_server_route(srv, "DELETE /notes/{id}", delete_note, db, NULL);
    galley_server_listen(srv, argc > 2 ? argv[2] : "127.0.0.1:7878");
    int result = 1;
    if (srv) {
        printf("Listening on http://%s/notes\n", galley_server_address(srv, 0).ptr);
        fflush(stdout);
        result = galley_server_run(srv, GALLEY_UNTIL_SIGNAL, &err);
    }
    if (err.code) {
        fprintf(stderr, "json_api: %s\n", err.message);
    }
    galley_server_free(srv);
    sqlite3_close(db);
    return result != 0;
}
