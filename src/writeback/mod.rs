//! Writeback to Elasticsearch and OpenSearch.
