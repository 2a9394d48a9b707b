"""The API's reading half as tools for assistants (Model Context Protocol). See docs/mcp.md."""
