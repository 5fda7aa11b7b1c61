"""`make hosts`: real AI hosts, and what their models receive from this server.

A host (Claude Code, Codex, ...) passes on only a part of a tool's result, and each host another
part. So each of them is run unchanged: from npm at the version in `package.json`, in a home of its
own, against this checkout's server in its keyless sandbox, and against a model that is a program
here (`fake_model`). That model speaks the host's model API, follows a script (`script`), and keeps
every request. What it received is then judged (`observations`) and written into the table in
docs/clients.md, one row for each host (`clients_table`).

    make hosts                          every host, one after the other (about five minutes)
    make hosts HOSTS="codex claude"     these two; the other rows of the table stay as they are

A host that goes on without our server, because the machine is busy and the server's start took
longer than the host waits (Cline: 3 s), is started up to three times.

The exit status is 1 if a model did not see what it should. For a person, the folder of the run,
whose path is printed last, has HOST.md: the tools and the conversation as the model received them.
Beside it, HOST/ holds the requests to the model, the lines of the protocol
(`from-host.jsonl`, `from-server.jsonl`), the host's output, and its home.

Needed are npm, root, and Linux's `unshare` and `ip`: every host runs in namespaces of its own, with
no network but loopback, and what it leaves running ends with them. Where one of these is missing,
nothing is run and the reason is printed. The hosts take 2 GB; with a Node of their own they are
installed into HOSTS_FOLDER, or else into the user's cache folder.

A new version of a host: change it in `package.json` and run. A new host: an entry in `HOSTS`
(`hosts`), and a module in `apis` if it speaks another model API.
"""
