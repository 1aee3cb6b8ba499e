# Many users at once: each says its name, and is told it back after a while.
import asyncio
import time
from typing import Annotated

from fastapi import Depends, FastAPI, Header

import audit_mw
from audit_mw import AuditMiddleware
from audit_mw.integrations.starlette import listen, vouches

app = FastAPI()
app.add_middleware(AuditMiddleware)
listen(app)


@vouches
def whoever(x_user: Annotated[str, Header()]) -> str:
    """Believe the header, in a thread."""
    time.sleep(len(x_user) / 1000)

    return x_user


@app.get("/me")
async def me(name: Annotated[str, Depends(whoever)]) -> str:
    """Say something of the user, after a while, in a thread."""
    await asyncio.sleep(len(name) / 1000)
    await asyncio.to_thread(audit_mw.error, "insufficient funds", said_by=name)

    return name
