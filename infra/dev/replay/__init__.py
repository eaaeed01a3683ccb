"""Real data sets, told as xAPI statements by a provider and posted over HTTP."""
