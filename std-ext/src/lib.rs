//! heapwire
