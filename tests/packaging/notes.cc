// A C++11 program on galley, as a C++ programmer would write it: a server in a unique_ptr, handlers that are lambdas
// without a capture, state behind `arg`, answers that give a std::string away. Built against an installed prefix by
// tests/integration/test_examples_installed.py.
//
//     notes [ADDRESS]
#include <galley/server.h>
#include <galley/static.h>
#include <galley/test.h>
#include <galley/websocket.h>

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace {

struct notes {
    std::mutex lock;
    std::map<unsigned, std::string> all;
    unsigned last = 0;
};

struct free_server {
    void operator()(galley_server *srv) const { galley_server_free(srv); }
};
using server = std::unique_ptr<galley_server, free_server>;

std::string text_of(galley_str view)
{
    return view.ptr ? std::string(view.ptr, view.len) : std::string();
}

void release(void *text)
{
    delete static_cast<std::string *>(text);
}

// No copy: the string lives until the last byte has been sent.
int give(galley_response *rs, int status, std::string text)
{
    std::string *body = new std::string(std::move(text));
    return galley_res_data(rs, status, "text/plain; charset=utf-8", body->data(), body->size(), release, body);
}

int list(galley_request *, galley_response *rs, void *arg)
{
    notes &self = *static_cast<notes *>(arg);
    std::lock_guard<std::mutex> guard(self.lock);
    std::string text;
    for (const auto &note : self.all) {
        text += std::to_string(note.first) + " " + note.second + "\n";
    }
    return give(rs, 200, std::move(text));
}

int add(galley_request *rq, galley_response *rs, void *arg)
{
    notes &self = *static_cast<notes *>(arg);
    std::lock_guard<std::mutex> guard(self.lock);
    self.all[++self.last] = text_of(galley_req_body(rq));
    int rc = galley_res_header(rs, "Location", ("/notes/" + std::to_string(self.last)).c_str());
    return rc ? rc : galley_res_text(rs, 201, "noted\n");
}

int fetch(galley_request *rq, galley_response *rs, void *arg)
{
    notes &self = *static_cast<notes *>(arg);
    std::string id = text_of(galley_req_param(rq, "id"));
    std::lock_guard<std::mutex> guard(self.lock);
    for (const auto &note : self.all) {
        if (std::to_string(note.first) == id) {
            return give(rs, 200, note.second);
        }
    }
    return GALLEY_ENOTFOUND;
}

// Answered by the pool, on a worker of which this handler knows nothing.
void finish(void *arg)
{
    galley_deferred *later = static_cast<galley_deferred *>(arg);
    galley_deferred_finish(later, galley_res_text(galley_deferred_response(later), 200, "later\n"));
}

int defer(galley_request *, galley_response *rs, void *arg)
{
    galley_deferred *later = galley_res_defer(rs);
    if (!later) {
        return GALLEY_ENOMEM;
    }
    galley_job job = galley_job();
    job.run = finish;
    job.arg = later;
    if (galley_pool_submit(static_cast<galley_pool *>(arg), &job, 1, 0) != 1) {
        galley_deferred_finish(later, 503);
    }
    return 0;
}

void add_routes(galley_server *srv, notes &self, galley_pool *pool)
{
    galley_route_options small = GALLEY_ROUTE_OPTIONS_INIT;
    small.max_body_bytes = 1000;
    galley_server_route(srv, "GET /notes", list, &self, nullptr);
    galley_server_route(srv, "POST /notes", add, &self, &small);
    galley_server_route(srv, "GET /notes/{id}", fetch, &self, nullptr);
    galley_server_route(srv, "GET /later", defer, pool, nullptr);
    galley_server_route(
        srv, "GET /", [](galley_request *, galley_response *rs, void *) { return galley_res_redirect(rs, 303, "/notes"); },
        nullptr, nullptr);
}

} // namespace

int main(int argc, char **argv)
{
    galley_error err = galley_error();
    notes self;
    std::unique_ptr<galley_pool, void (*)(galley_pool *)> pool(galley_pool_new(2, &err), galley_pool_free);
    server srv(pool ? galley_server_new(nullptr, &err) : nullptr); // freed before the pool
    add_routes(srv.get(), self, pool.get());
    galley_server_listen(srv.get(), argc > 1 ? argv[1] : "127.0.0.1:7878");
    galley_str address = galley_server_address(srv.get(), 0);
    if (address.ptr) {
        std::printf("Listening on http://%s/\n", address.ptr);
        std::fflush(stdout);
    }
    int rc = srv ? galley_server_run(srv.get(), GALLEY_UNTIL_SIGNAL, &err) : err.code;
    if (rc != 0) {
        std::fprintf(stderr, "notes: %s\n", err.message);
    }
    return rc != 0;
}
