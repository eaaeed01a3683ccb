"""The pages: what counselors, leaders, teachers, providers and operators see, each within their scope."""
