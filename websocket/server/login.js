// Swaps the token for a cookie that no script can read, and comes back to the
// page, which is the dashboard then.
const form = document.getElementById("form");
const said = document.getElementById("said");

form.addEventListener("submit", async (e) => {
  e.preventDefault();
  said.textContent = "";
  try {
    const res = await fetch("/api/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: document.getElementById("token").value.trim() }),
      signal: AbortSignal.timeout(8000),
    });
    if (res.ok) {
      location.reload();
      return;
    }
    const fault = await res.json();
    said.textContent = `${fault.error}: ${fault.mend}`;
  } catch {
    said.textContent = "The trader did not answer. Try again.";
  }
});
