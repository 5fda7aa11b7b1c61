#!/bin/sh
# GeekAI's own API with curl, against the sandbox: request a video, poll, download.
#
#     geekai-video-mcp sandbox &        (a mock of the API on this machine; it costs nothing)
#     sh examples/curl.sh [BASE_URL]
#
# GeekAI itself takes the same requests at https://geekai.co/api/v1, with a key in the header
# "Authorization: Bearer ..." and for money. This script sends no key.
set -eu
base_url=${1:-http://127.0.0.1:8766/api/v1}

# The text of a member of the JSON object on standard input.
member() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }

task=$(curl --fail-with-body --silent --show-error "$base_url/videos/generations" \
  --header 'Content-Type: application/json' \
  --data '{"model": "sandbox", "prompt": "A paper boat on a stream", "duration": 3, "async": true}')
task_id=$(echo "$task" | member task_id)
echo "task $task_id"

status=pending
while [ "$status" = pending ] || [ "$status" = running ]; do
  sleep 1
  task=$(curl --fail-with-body --silent --show-error "$base_url/videos/$task_id")
  status=$(echo "$task" | member task_status)
  echo "  $status"
done
[ "$status" = succeed ] || { echo "$task" >&2; exit 1; }

file="$task_id.mp4"
curl --fail --silent --show-error --output "$file" "$(echo "$task" | member url)"
echo "$file"
