import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// The placeholder in dist is committed, so the build must not empty the
// folder; scripts/web.sh removes what an older build left.
export default defineConfig({
  plugins: [svelte()],
  build: { emptyOutDir: false, target: "es2022", chunkSizeWarningLimit: 700 },
  test: { include: ["src/**/*.test.ts"] },
});
