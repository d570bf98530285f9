"""The report: what this project's jobs did, as one page of HTML that needs no network."""
