"""An event enters the mesh, from Python, with nothing of Plexus: `pip install nats-py`, then
  python3 examples/01-publish/publish.py
"""
import asyncio, json, pathlib, os, time
import nats

STATE = pathlib.Path(os.environ.get("PLEXUS_STATE_DIR", ".plexus"))


async def main():
    mesh = json.loads((STATE / "mesh.json").read_text())
    password = (STATE / "credentials/demo.password").read_text().strip()
    # Answers (the receipt of the stream is one) arrive where this integrator may listen.
    connection = await nats.connect(mesh["nats"], user="demo", password=password, inbox_prefix=b"_INBOX_.default.demo")
    event = {
        "specversion": "1.0",
        "id": f"python-{time.time_ns()}",
        "source": "/demo",
        "type": "demo.import-finished",
        "data": {"summary": "4,212 rows imported, says Python", "caseId": "case-7"},
    }
    receipt = await connection.jetstream().publish(
        "plexus.in.default.demo.import-finished.v1.case-7",
        json.dumps(event).encode(),
        headers={"Nats-Msg-Id": f"default:/demo:{event['id']}"},  # published twice, it is stored once
    )
    print(f"stored as {receipt.stream} {receipt.seq}")
    await connection.close()


asyncio.run(main())
